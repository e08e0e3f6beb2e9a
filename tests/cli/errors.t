# SPDX-License-Identifier: MIT
# Errors that belong to no single command: output that cannot be written, missing privileges, groups
# that vanish, machines without their files. One line each, no crash, nothing half-written.
# What `run`, `bench`, `press` and `doctor` say of their own input is in <command>*.t.

NAME     a full disk behind stdout is an error
RUN      $KVPSI --version >/dev/full 2>err; code=$?; cat err; wc -l <err; exit $code
EXPECT   kvpsi: cannot write the output: No space left on device
EXPECT   /^1$/
EXIT     3

NAME     a full disk behind a long answer is an error, not a crash
RUN      $KVPSI doctor --json >/dev/full
EXPECT   No space left on device
REJECT   terminate called
EXIT     3

NAME     a full disk behind the generated text ends the run with an error
REQUIRES llama model
RUN      $KVPSI run -m "$MODEL" -p Hello -n 200 -c 512 -t 1 --quiet --ignore-eos >/dev/full
EXPECT   kvpsi run: cannot write the text to stdout: No space left on device
EXIT     3
TIMEOUT  120

NAME     a full disk behind the summary is an error
REQUIRES llama model
RUN      $KVPSI run -m "$MODEL" -p Hello -n 2 -c 256 -t 1 --quiet --json >/dev/full
EXPECT   cannot write the summary to stdout
EXIT     3
TIMEOUT  120

NAME     a full disk behind the journal costs the journal, not the text
REQUIRES llama model
RUN      $KVPSI run -m "$MODEL" -p Hello -n 2 -c 256 -t 1 --quiet --journal /dev/full
EXPECT   /dev/full: cannot begin the journal
TIMEOUT  120

NAME     a folder where the journal should be is named
REQUIRES llama model
RUN      mkdir d; $KVPSI run -m "$MODEL" -p Hello -n 2 -c 256 -t 1 --journal d 2>&1
EXPECT   /^kvpsi run: d: /
EXIT     3
TIMEOUT  120

NAME     a closed stdout is an error
RUN      $KVPSI doctor >&-
EXPECT   /^kvpsi: cannot write/
EXIT     3

NAME     a closed stdout does not let the text into the journal
REQUIRES llama model
RUN      $KVPSI run -m "$MODEL" -p Hello -n 3 -c 256 -t 1 --quiet --journal j.jsonl >&-; code=$?; python3 -c 'import json; [json.loads(line) for line in open("j.jsonl")]; print("journal whole")'; exit $code
EXPECT   cannot write the text to stdout
EXPECT   journal whole
EXIT     3
TIMEOUT  120

NAME     without the right to write pressure files there is polling, said plainly
REQUIRES root cgroup-write
RUN      g=$(find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs -path '*unified*' -printf '%h\n' -quit); [ -n "$g" ] || g=/sys/fs/cgroup; d=$g/kvpsi-test-$$; mkdir $d; (echo $BASHPID >$d/cgroup.procs; exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all $KVPSI doctor); code=$?; rmdir $d; exit $code
EXPECT   /note +triggers +no trigger is granted/

NAME     a group that vanishes under a run does not end the run
REQUIRES llama model root cgroup-write
RUN      g=$(find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs -path '*unified*' -printf '%h\n' -quit); [ -n "$g" ] || g=/sys/fs/cgroup; d=$g/kvpsi-gone-$$; mkdir $d; (sleep 1; rmdir $d) & $KVPSI run -m "$MODEL" -p Hello -n 60 -c 512 -t 1 --ignore-eos --quiet --json --psi-own $d/memory.pressure >out.json; code=$?; wait; python3 -c 'import json; d=json.load(open("out.json")); print("decoded", d["decoded"])'; exit $code
EXPECT   decoded 60
TIMEOUT  120

NAME     no right to make groups is advice for the preflight, with the way out
REQUIRES root
RUN      setpriv --reuid 65534 --regid 65534 --clear-groups $KVPSI doctor | grep -E 'groups|--scope system'
EXPECT   /advice +groups/
EXPECT   --scope system

NAME     procfs that is not there is missing, not a crash
RUN      $KVPSI doctor --proc none --cgroup none --sys none
EXPECT   /MISSING +psi/
EXPECT   /MISSING +memory/
EXIT     3

NAME     a folder without the right to write is told to the preflight
REQUIRES root
RUN      mkdir ro; chmod 755 . ro; setpriv --reuid 65534 --regid 65534 --clear-groups $KVPSI doctor --out-dir "$PWD/ro"
EXPECT   /advice +folder .*is not writable/
EXPECT   --out-dir

NAME     garbled kernel files are no facts and no crash
RUN      mkdir -p proc/self proc/pressure; for f in meminfo vmstat swaps cpuinfo self/status self/stat self/mountinfo self/cgroup pressure/memory; do head -c 3000 /dev/urandom >proc/$f; done; $KVPSI doctor --proc proc --cgroup none
EXPECT   Not ready
REJECT   terminate called
EXIT     3

NAME     a model that is a folder is named
RUN      mkdir d; $KVPSI doctor -m d
EXPECT   d: the model is not a file
EXIT     3
