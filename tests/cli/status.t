# SPDX-License-Identifier: MIT
# `kvpsi status`: asks the governed processes of this machine.

NAME     nothing governed runs: one line and exit code 1
RUN      : >unix; $KVPSI status --unix-table unix
EXPECT   kvpsi status: nothing governed runs here; start one with `kvpsi run`
EXIT     1

NAME     a process that is not governed is named
RUN      $KVPSI status --pid 4194304
EXPECT   no governed run has process id 4194304
EXIT     1

NAME     the table of unix sockets is missing
RUN      $KVPSI status --unix-table absent
EXPECT   absent: cannot read the table of unix sockets
EXIT     3

NAME     a running run shows what holds memory
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 8192 -t 1 --ignore-eos -q >/dev/null & run=$!
RUN      for i in $(seq 100); do $KVPSI status --pid $run >table 2>/dev/null && grep -q ' [1-9][0-9]* of 8192 cells' table && break; sleep 0.1; done
RUN      cat table; $KVPSI status --pid $run --json; kill -INT $run; wait $run
EXPECT   /process [0-9]+, kvpsi run, up [0-9]+ s/
EXPECT   /weights, file +[0-9.]+ MiB/
EXPECT   /KV cache, live +[0-9.]+ [KM]iB/
EXPECT   /KV cache, resident +[0-9.]+ [KM]iB/
EXPECT   /scratch, resident/
EXPECT   /level [a-z]+, last decision [0-9]+: [a-z_]+/
EXPECT   "schema":"kvpsi.status/1"
EXPECT   "schema":"kvpsi.tick/1"
TIMEOUT  60
