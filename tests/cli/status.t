# SPDX-License-Identifier: MIT
# `kvpsi status`: asks the governed processes of this machine.

NAME     nothing governed runs: one line and exit code 1
RUN      : >unix; $KVPSI status --unix-table unix
EXPECT   kvpsi status: nothing governed runs here; start one with `kvpsi run` or `kvpsi serve`
EXIT     1

NAME     a process that is not governed is named
RUN      $KVPSI status --pid 4194304
EXPECT   no governed run has process id 4194304
EXIT     1

NAME     the table of unix sockets is missing
RUN      $KVPSI status --unix-table absent
EXPECT   absent: cannot read the table of unix sockets
EXIT     3

NAME     who listens in the name of another process is not asked, and what it says is not shown
RUN      printf '%s\n' 'import os, socket, sys' 's = socket.socket(socket.AF_UNIX)' \
RUN        's.bind("\0kvpsi-1-ns%d" % os.stat("/proc/self/ns/pid").st_ino)' 's.listen()' 'open("ready", "w")' \
RUN        's.settimeout(5)' 'c = s.accept()[0]' 'c.sendall(b"\x1b[31mlies\n")' >stranger.py
RUN      python3 stranger.py 2>/dev/null & stranger=$!; for i in $(seq 100); do [ -e ready ] && break; sleep 0.05; done
RUN      $KVPSI status --pid 1; code=$?; wait $stranger; exit $code
EXPECT   listens in the name of process 1; it is not asked
REJECT   lies
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

NAME     a soft maximum that is no size is refused
RUN      $KVPSI status --set-kv-soft-max lots
EXPECT   'lots' is not a size; write it like 64MiB, or none
EXIT     2

NAME     a soft maximum needs a process
RUN      : >unix; $KVPSI status --unix-table unix --set-kv-soft-max 64MiB
EXPECT   kvpsi status: nothing governed runs here; start one with `kvpsi run` or `kvpsi serve`
EXIT     1

NAME     with several processes one has to be named
RUN      printf '0: 0 0 0 1 1 9 @kvpsi-%s\n' 7 8-watching >unix; $KVPSI status --unix-table unix --set-kv-soft-max none
EXPECT   2 governed processes run here; name one with --pid
EXIT     2

NAME     the soft maximum is changed at run time, drops nothing, warns of churn and is recorded
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 8192 -t 1 --ignore-eos -q --journal j.jsonl --kv-soft-max 1GiB --json >s.json & run=$!
RUN      for i in $(seq 100); do $KVPSI status --pid $run 2>/dev/null | grep -q ' [1-9][0-9] of 8192 cells' && break; sleep 0.1; done
RUN      $KVPSI status --pid $run --set-kv-soft-max 64KiB; $KVPSI status --pid $run | grep soft
RUN      $KVPSI status --pid $run --set-kv-soft-max none --json; sleep 0.6; kill -INT $run; wait $run
RUN      python3 -c 'import json; s=json.load(open("s.json")); print("trimmed", s["governor"]["tokens_trimmed"], "reason", s["stop_reason"])'
RUN      $KVPSI explain j.jsonl; $KVPSI simulate --replay j.jsonl
EXPECT   /process [0-9]+: KV soft maximum 64.0 KiB \(was 1.00 GiB\), [0-9.]+ .iB live; shown, not enforced: this process refuses no new work/
EXPECT   kvpsi status: the KV soft maximum of 64.0 KiB is less than half of the
EXPECT   /KV cache, soft maximum +64.0 KiB +a goal for new work; shown, not enforced: this process/
EXPECT   "kv_soft_max_bytes":null,"kv_soft_max_bytes_before":65536
EXPECT   trimmed 0 reason interrupted
EXPECT   the soft maximum of live KV was set to 1.00 GiB
EXPECT   the soft maximum of live KV was set to 64.0 KiB
EXPECT   the soft maximum of live KV was lifted
EXPECT   /[0-9]+ decisions, all reproduced/
TIMEOUT  60

NAME     a run without its governor takes no soft maximum
REQUIRES model llama
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 2048 -t 1 --ignore-eos -q --governor off --journal j.jsonl >/dev/null & run=$!
RUN      for i in $(seq 100); do $KVPSI status --pid $run >/dev/null 2>&1 && break; sleep 0.1; done
RUN      $KVPSI status --pid $run --set-kv-soft-max 64MiB; code=$?; kill -INT $run; wait $run; exit $code
EXPECT   its governor is off
EXIT     2
TIMEOUT  60

NAME     two runs that trim count on each other, one that only watches does not count
REQUIRES model llama
RUN      go() { $KVPSI run -m $MODEL -p Once -n 8000 -c 8192 -t 1 --ignore-eos -q --journal $1.jsonl "${@:2}" >/dev/null & }
RUN      go a --trim eager; a=$!; go b --trim eager; b=$!; go c --trim off; c=$!
RUN      for i in $(seq 200); do grep -q '"peers_anon_bytes":[1-9]' a.jsonl && grep -q '"peers_anon_bytes":[1-9]' b.jsonl && break; sleep 0.1; done
RUN      $KVPSI status --pid $a | grep 'other governed'; kill -INT $a $c; wait $a; wait $c
RUN      for i in $(seq 60); do tail -n 1 b.jsonl | grep -q '"peers_anon_bytes":0,' && break; sleep 0.1; done
RUN      kill -INT $b; wait $b; tail -n 1 b.jsonl | grep -o '"peers_anon_bytes":[0-9]*'
RUN      python3 - <<'PY'
RUN      import json
RUN      last = lambda f: [t for t in map(json.loads, open(f)) if t.get("sample", {}).get("peers_anon_bytes")][-1]["sample"]
RUN      a, b = last("a.jsonl"), last("b.jsonl")
RUN      print("about each other" if abs(a["peers_anon_bytes"] - b["own_anon_bytes"]) < 30 << 20 else (a, b))
RUN      PY
RUN      for j in a b; do $KVPSI simulate --replay $j.jsonl || exit 9; done
EXPECT   /other governed +[0-9.]+ .iB +anonymous/
EXPECT   "peers_anon_bytes":0
EXPECT   about each other
TIMEOUT  60
