# SPDX-License-Identifier: MIT
# A service manager's pressure watch (MEMORY_PRESSURE_WATCH, MEMORY_PRESSURE_WRITE) from the
# environment to the journal. "c29tZSAxMjMwMDAgMjAwMDAwMAA=" is "some 123000 2000000" and a NUL.

NAME     a FIFO: each write is a hint that gives back what is free
REQUIRES model llama
RUN      mkfifo fifo; export MEMORY_PRESSURE_WATCH=$PWD/fifo MEMORY_PRESSURE_WRITE=c29tZSAxMjMwMDAgMjAwMDAwMAA=
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 2048 -t 1 --ignore-eos -q --journal j.jsonl >/dev/null & run=$!
RUN      for i in $(seq 100); do grep -q '"decision"' j.jsonl 2>/dev/null && break; sleep 0.1; done
RUN      sleep 0.3; grep -c '"hinted":true' j.jsonl; echo now >fifo; sleep 0.5; kill -INT $run; wait $run
RUN      grep '"hinted":true' j.jsonl | grep -c '"verb":"release"'
RUN      grep -o '"pressure_hints_total":[0-9]*' j.jsonl | sort -u
EXPECT   /^0$/
EXPECT   /^1$/
EXPECT   "pressure_hints_total":0
EXPECT   "pressure_hints_total":1
REJECT   "pressure_hints_total":2
TIMEOUT  60

NAME     a socket gets the decoded data, byte for byte, and its bytes are hints
REQUIRES model llama
RUN      python3 - <<'PY' &
RUN      import socket
RUN      listener = socket.socket(socket.AF_UNIX); listener.bind("sock"); listener.listen()
RUN      peer, _ = listener.accept()
RUN      print("got", peer.recv(100), flush=True)
RUN      import time; time.sleep(1.5); peer.send(b"!"); time.sleep(10)
RUN      PY
RUN      manager=$!; for i in $(seq 50); do [ -S sock ] && break; sleep 0.1; done
RUN      export MEMORY_PRESSURE_WATCH=$PWD/sock MEMORY_PRESSURE_WRITE=c29tZSAxMjMwMDAgMjAwMDAwMAA=
RUN      $KVPSI run -m $MODEL -p Once -n 4000 -c 4096 -t 1 --ignore-eos --time-max 3 -q --journal j.jsonl >/dev/null
RUN      kill $manager; grep -c '"hinted":true' j.jsonl
EXPECT   got b'some 123000 2000000\x00'
EXPECT   /^1$/
TIMEOUT  60

NAME     the kernel's pressure file takes the data
REQUIRES model llama psi
RUN      export MEMORY_PRESSURE_WATCH=/proc/pressure/memory MEMORY_PRESSURE_WRITE=c29tZSAyMDAwMDAgMjAwMDAwMAA=
RUN      $KVPSI run -m $MODEL -p Once -n 2 -t 1 2>&1 >/dev/null
EXPECT   /watch: .*\/proc\/pressure\/memory/

NAME     /dev/null switches the watch off, an empty value asks for none
REQUIRES model llama
RUN      MEMORY_PRESSURE_WATCH=/dev/null $KVPSI run -m $MODEL -p Once -n 2 -t 1 2>&1 >/dev/null
RUN      MEMORY_PRESSURE_WATCH= $KVPSI run -m $MODEL -p Once -n 2 -t 1 2>&1 >/dev/null | grep -c 'watch:'
EXPECT   watch: switched off
EXPECT   /^0$/
EXIT     1

NAME     values that are not well-formed end the run
REQUIRES model llama
RUN      MEMORY_PRESSURE_WATCH=relative $KVPSI run -m $MODEL -p Once -n 2 -t 1; echo "code $?"
RUN      MEMORY_PRESSURE_WATCH=/proc/pressure/memory MEMORY_PRESSURE_WRITE=no! $KVPSI run -m $MODEL -p Once -n 2; echo "code $?"
EXPECT   MEMORY_PRESSURE_WATCH must be an absolute path
EXPECT   MEMORY_PRESSURE_WRITE must be base64 with padding
EXPECT   /code [23]/
