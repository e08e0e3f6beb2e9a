# kvpsi press: what it does, says and refuses.

NAME     it presses, says when it is ready, and sums up
RUN      $KVPSI press --mib 16 --file-mib 4 --for 0.5 --file-dir /var/tmp
EXPECT   /^pressing: 16\.0 MiB anonymous, 4\.00 MiB file-backed/
EXPECT   /rounds in 0\.[5-9] s/

NAME     JSON: a ready line, then the summary
RUN      $KVPSI press --mib 8 --for 0.3 --json | python3 -c 'import json,sys; r,s=[json.loads(l) for l in sys.stdin]; assert r["event"]=="ready"; assert s["schema"]=="kvpsi.press/1" and s["anon_bytes"]==8<<20 and s["rounds"]>0; print("whole")'
EXPECT   whole

NAME     the rounds log has a line a round
RUN      $KVPSI press --mib 4 --for 0.3 --rounds-log r.log --json | tail -1 | python3 -c 'import json,sys; n=json.load(sys.stdin)["rounds"]; assert n==sum(1 for _ in open("r.log")) and n>0; print("whole")'
EXPECT   whole

NAME     it steps up
RUN      $KVPSI press --mib 8 --step-mib 2 --step-s 0.1 --for 1
EXPECT   8.00 MiB anonymous

NAME     SIGTERM ends it with its summary
RUN      $KVPSI press --mib 8 --for 60 & p=$!; sleep 1; kill -TERM $p; wait $p
EXPECT   rounds in

NAME     nothing to do
RUN      $KVPSI press
EXPECT   kvpsi press: nothing to press with: give --mib, --file-mib or --file
EXIT     2

NAME     more than the machine has
RUN      $KVPSI press --mib 9000000
EXPECT   /kvpsi press: 8\.58 TiB is more than there is to take now \(.*\): take less, or say --force/
EXIT     2

NAME     too long
RUN      $KVPSI press --mib 1 --for 3601
EXPECT   --for
EXPECT   3600
EXIT     2

NAME     hot and cold exclude each other
RUN      $KVPSI press --mib 1 --hot --cold
EXIT     2

NAME     a file in memory
RUN      $KVPSI press --file-mib 1 --file-dir /dev/shm
EXPECT   kvpsi press: /dev/shm: lies on a file system in memory (tmpfs)
EXIT     3

NAME     a file that is not there
RUN      $KVPSI press --file none.bin
EXPECT   kvpsi press: none.bin: cannot open (No such file or directory)
EXIT     2

NAME     a rounds log that cannot be written
RUN      $KVPSI press --mib 1 --for 0.1 --rounds-log none/r.log
EXPECT   none/r.log: cannot write the rounds log
EXIT     3

NAME     an unknown option
RUN      $KVPSI press --mb 5
EXPECT   unknown option '--mb', did you mean '--mib'?
EXIT     2
