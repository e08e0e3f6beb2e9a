# kvpsi doctor: what it says, in which form, and its exit codes.

NAME     this machine is examined without a model
REQUIRES psi
RUN      $KVPSI doctor
EXPECT   /^  (ok|note) +release +pages come back/
EXPECT   /^(Ready|Not ready)/
REJECT   /^  \S+ +model /

NAME     text is plain where nobody watches
RUN      $KVPSI doctor | cat
REJECT   /\x1b/

NAME     JSON is JSON and nothing else
RUN      $KVPSI doctor --json | python3 -c 'import json,sys; d=json.load(sys.stdin); assert d["schema"]=="kvpsi.doctor/1"; assert all(set(f)=={"id","weight","what","fix"} for f in d["findings"]); print("whole", d["ok"])'
EXPECT   /whole (True|False)/

NAME     whatever asks for something names a command of one line
RUN      $KVPSI doctor --json | python3 -c 'import json,sys; d=json.load(sys.stdin); [print("no fix:",f["id"]) for f in d["findings"] if (f["weight"] in ("advice","missing"))!=bool(f["fix"]) or "\n" in (f["fix"] or "")]'
REJECT   no fix

NAME     the model's weights are told by kind
REQUIRES model psi
RUN      $KVPSI doctor -m "$MODEL"
EXPECT   /model +\S+: llama, GGUF version 3/
EXPECT   /weights .*file-backed/
EXPECT   /kv +KV cache: 22.5 KiB a token, 180 MiB for -c 8192/

NAME     a context beyond the model is advice, not an error
REQUIRES model psi
RUN      $KVPSI doctor -m "$MODEL" -c 100000
EXPECT   -c 100000 is more than the 8192 tokens

NAME     an absent model is missing
RUN      $KVPSI doctor -m none.gguf
EXPECT   /MISSING +model .*none.gguf: cannot open the model/
EXPECT   Not ready
EXIT     3

NAME     a file that is no model is named so
RUN      echo hello > garbled.gguf; $KVPSI doctor -m garbled.gguf
EXPECT   not a GGUF file
EXIT     3

NAME     a truncated model is told by its sizes
REQUIRES model
RUN      head -c 3000000 "$MODEL" > cut.gguf; $KVPSI doctor -m cut.gguf
EXPECT   truncated, fetch it again
EXIT     3

NAME     a model cut inside its header is told too
REQUIRES model
RUN      head -c 5000 "$MODEL" > cut.gguf; $KVPSI doctor -m cut.gguf
EXPECT   ends inside its header
EXIT     3

NAME     a machine without PSI gets the boot option
RUN      mkdir -p proc/self; cp /proc/meminfo proc/; cp /proc/self/status /proc/self/stat proc/self/; $KVPSI doctor --proc proc --cgroup none
EXPECT   /MISSING +psi +no pressure stall information/
EXPECT   psi=1
EXIT     3

NAME     quiet leaves out what is good
REQUIRES psi
RUN      $KVPSI doctor --quiet
REJECT   /^  ok /

NAME     the build tells its versions
RUN      $KVPSI doctor --build
EXPECT   /^kvpsi +[0-9]/
EXPECT   /^compiler /
EXPECT   /^fmt +[0-9]/

NAME     the build as JSON
RUN      $KVPSI doctor --build --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["schema"])'
EXPECT   kvpsi.build/1

NAME     an unknown option is refused with the nearest one
RUN      $KVPSI doctor --modle x
EXPECT   /unknown option '--modle', did you mean '--model'/
EXIT     2

NAME     no context of zero tokens
RUN      $KVPSI doctor -c 0
EXPECT   /^kvpsi doctor: .*-c/
EXIT     2

NAME     no group stays behind
REQUIRES cgroup-write
RUN      $KVPSI doctor --json > out.json & pid=$!; wait $pid; find /sys/fs/cgroup -maxdepth 4 -name "kvpsi-bench-$pid-*" | grep . && echo left behind || echo clean
EXPECT   clean
