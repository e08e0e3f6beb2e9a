# kvpsi requantize: a copy in another type, whole or not at all.

NAME     a repacked model
REQUIRES llama model
TIMEOUT  200
RUN      $KVPSI requantize "$MODEL" q.gguf --type q4_0 && $KVPSI doctor -m q.gguf --json > /dev/null; ls q.gguf*
EXPECT   /q\.gguf: 8[0-9]\.\d MiB/
REJECT   .tmp

NAME     an unknown type leaves nothing behind
REQUIRES llama model
RUN      $KVPSI requantize "$MODEL" q.gguf --type q9; code=$?; ls; exit $code
EXPECT   unknown type 'q9': use f16, q4_0
REJECT   /^q\.gguf/
EXIT     2

NAME     no input
REQUIRES llama
RUN      $KVPSI requantize none.gguf q.gguf
EXPECT   none.gguf: cannot open the model
EXIT     2

NAME     an output that cannot be written
REQUIRES llama model
TIMEOUT  200
RUN      $KVPSI requantize "$MODEL" none/q.gguf
EXPECT   kvpsi requantize:
EXIT     3
