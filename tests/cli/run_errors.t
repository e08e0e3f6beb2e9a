# SPDX-License-Identifier: MIT
# What `kvpsi run` says of bad input: one line, what, where and what to do; nothing half-written.

NAME     a build without llama.cpp says so
RUN      $KVPSI run -m x -p y 2>&1 | grep -q 'this build has no llama.cpp' || $KVPSI run --help | grep -q -- --model && echo fine
EXPECT   fine

NAME     no model
REQUIRES llama
RUN      $KVPSI run -p x
EXPECT   kvpsi run: --model is required
EXIT     2

NAME     no prompt
REQUIRES llama
RUN      $KVPSI run -m x.gguf
EXPECT   no prompt: give one with -p TEXT or -f FILE
EXIT     2

NAME     an empty prompt file
REQUIRES llama
RUN      : >p; $KVPSI run -m x.gguf -f p
EXPECT   p: the prompt file is empty
EXIT     2

NAME     a missing prompt file
REQUIRES llama
RUN      $KVPSI run -m x.gguf -f absent.txt
EXPECT   absent.txt: cannot read the prompt file
EXIT     2

NAME     a missing model
REQUIRES llama
RUN      $KVPSI run -m absent.gguf -p x 2>err; code=$?; cat err; wc -l <err; exit $code
EXPECT   absent.gguf
EXPECT   /^1$/
EXIT     2

NAME     a model that is a folder
REQUIRES llama
RUN      mkdir d; $KVPSI run -m d -p x
EXPECT   kvpsi run: d:
EXIT     2

NAME     a garbled model
REQUIRES llama
RUN      head -c 100000 /dev/urandom >bad.gguf; $KVPSI run -m bad.gguf -p x
EXPECT   kvpsi run: bad.gguf:
EXIT     2

NAME     a truncated model
REQUIRES llama model
RUN      head -c 60000000 $MODEL >cut.gguf; $KVPSI run -m cut.gguf -p x
EXPECT   kvpsi run: cut.gguf:
EXIT     2

NAME     a model cut within its header
REQUIRES llama model
RUN      head -c 5000 $MODEL >cut.gguf; $KVPSI run -m cut.gguf -p x
EXPECT   kvpsi run: cut.gguf:
EXIT     2

NAME     a good header with garbled weights names fails or runs, but does not crash
REQUIRES llama model
RUN      cp $MODEL bent.gguf; dd if=/dev/zero of=bent.gguf bs=1 seek=100 count=4000 conv=notrunc 2>/dev/null; $KVPSI run -m bent.gguf -p x -n 1; code=$?; test $code -le 3
REJECT   terminate called

NAME     an unknown flag is refused in one line with a suggestion
REQUIRES llama
RUN      $KVPSI run -m x -p y --treads 2
EXPECT   unknown option '--treads', did you mean '--threads'?
EXIT     2

NAME     an unknown key of the configuration file is named
REQUIRES llama
RUN      printf '[run]\nmodle = "x"\n' >c.toml; $KVPSI run --config c.toml -p x
EXPECT   unknown key 'modle' in the configuration file; did you mean 'model'?
EXIT     2

NAME     a size that is none
REQUIRES llama
RUN      $KVPSI run -m x -p y --kv-max lots
EXPECT   --kv-max: 'lots' is not a size; write a number and B, KiB, MiB, GiB or TiB, such as 512MiB
EXIT     2

NAME     a choice that is none
REQUIRES llama
RUN      $KVPSI run -m x -p y --trim always
EXPECT   'always' is none of off|last-resort|eager
EXIT     2

NAME     a spill directory that is absent, before the model is loaded
REQUIRES llama
RUN      $KVPSI run -m x -p y --spill-dir /nowhere/at/all
EXPECT   /nowhere/at/all
EXIT     2

NAME     a spill directory in memory
REQUIRES llama
RUN      $KVPSI run -m x -p y --spill-dir /dev/shm
EXPECT   /dev/shm
EXIT     3

NAME     keep and tail that fill the context
REQUIRES llama
RUN      $KVPSI run -m x -p y -c 512 --keep 300 --tail 212
EXPECT   --keep 300 and --tail 212 leave nothing to trim in a context of 512 tokens
EXIT     2

NAME     keep and tail that fill the model's own context
REQUIRES llama model
RUN      $KVPSI run -m $MODEL -p y --trim eager --keep 4000 --tail 4000
EXPECT   leave nothing to trim in a context of 4096 tokens
EXIT     2

NAME     a context beyond what the model was trained for
REQUIRES llama model
RUN      $KVPSI run -m $MODEL -p y -c 999999
EXPECT   /-c 999999 is beyond the [0-9]+ tokens that this model was trained for/
EXPECT   --beyond-training
EXIT     2

NAME     a prompt longer than the context
REQUIRES llama model
RUN      $KVPSI run -m $MODEL -p 'one two' --prompt-tokens 600 -c 512
EXPECT   the prompt has 600 tokens and the context 512: raise -c
EXIT     2

NAME     a cache type that is none
REQUIRES llama model
RUN      $KVPSI run -m $MODEL -p y --cache-type-k q9
EXPECT   --cache-type-k: 'q9' is none of
EXIT     2

NAME     a quantized V cache without flash attention
REQUIRES llama model
RUN      $KVPSI run -m $MODEL -p y --cache-type-v q8_0 --flash-attn off
EXPECT   --cache-type-v q8_0 needs flash attention
EXIT     2

NAME     a cap below the floor
REQUIRES llama
RUN      $KVPSI run -m x -p y --kv-max 1MiB --kv-min 2MiB
EXPECT   --kv-min 2.00 MiB is more than --kv-max 1.00 MiB
EXIT     2

NAME     a cap without a governor
REQUIRES llama
RUN      $KVPSI run -m x -p y --kv-max 1MiB --governor off
EXPECT   need --governor on
EXIT     2

NAME     half of a prompt selection
REQUIRES llama model
RUN      $KVPSI run -m $MODEL -p y --prompt-head 3
EXPECT   --prompt-head and --prompt-total go together
EXIT     2

NAME     a pressure file that is absent
REQUIRES llama model
RUN      $KVPSI run -m $MODEL -p y --psi-own absent
EXPECT   kvpsi run: absent:
EXIT     2

NAME     a pressure file that is empty
REQUIRES llama model
RUN      : >psi; $KVPSI run -m $MODEL -p y --psi-own psi
EXPECT   kvpsi run: psi:
EXIT     2

NAME     a pressure file that is garbled
REQUIRES llama model
RUN      echo 'some avg10=zero' >psi; $KVPSI run -m $MODEL -p y --psi-own psi
EXPECT   kvpsi run: psi:
EXIT     2

NAME     a pressure file that is a folder
REQUIRES llama model
RUN      mkdir psi; $KVPSI run -m $MODEL -p y --psi-own psi
EXPECT   kvpsi run: psi:
EXIT     3

NAME     a pressure file that may not be read
REQUIRES llama root
RUN      echo x >psi; chmod 600 psi; cp $KVPSI kvpsi; chmod 755 . kvpsi
RUN      setpriv --reuid 65534 --clear-groups ./kvpsi run -m x -p y --psi-own psi
EXPECT   /kvpsi run: psi: .*Permission denied/
EXIT     3

NAME     a FIFO stands in for a pressure file
REQUIRES llama model
RUN      mkfifo psi; $KVPSI run -m $MODEL -p y -n 2 -t 1 --psi-own psi --json -q | cut -c1-60
EXPECT   "exit":"ok"

NAME     a journal in a folder that is not there
REQUIRES llama model
RUN      $KVPSI run -m $MODEL -p y --journal no/such/j.jsonl
EXPECT   no/such/j.jsonl
EXIT     2
