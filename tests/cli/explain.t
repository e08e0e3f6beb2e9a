# SPDX-License-Identifier: MIT
# `kvpsi explain`: recorded journals told in sentences, and what bad files get.

NAME     a real run is told with its numbers
RUN      $KVPSI explain $SOURCE_DIR/tests/golden/real-s2.jsonl
EXPECT   at 0.000 s: began at level calm
EXPECT   /asked kv to trim [0-9.]+ MiB: gave back [0-9.]+ MiB \([0-9]+ tokens\)/
EXPECT   /headroom -?[0-9.]+ [KM]iB is below the reserve of/

NAME     one turn is told whole
RUN      $KVPSI explain $SOURCE_DIR/tests/golden/real-s1.jsonl --at 0
EXPECT   /^decision 1 at 0\.000 s, level calm/
EXPECT   /^meaning: /

NAME     --json gives one document
RUN      $KVPSI explain $SOURCE_DIR/tests/golden/real-s1.jsonl --all --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["schema"])'
EXPECT   kvpsi.explain/1

NAME     one turn as JSON holds what the sentences are made of
RUN      $KVPSI explain $SOURCE_DIR/tests/golden/real-s2.jsonl --at 0 --json | python3 -c 'import json,sys; t=json.load(sys.stdin)["turn"]; print(t["decision_id"], t["level"], t["tick"]["schema"], sorted(t))'
EXPECT   1 calm kvpsi.tick/1 ['actions', 'because', 'config', 'decision_id', 'dry_run', 'level', 'reason', 't_s', 'tick']

NAME     a time beyond the end is refused with what there is
RUN      $KVPSI explain $SOURCE_DIR/tests/golden/real-s1.jsonl --at 5000
EXPECT   /kvpsi explain: --at 5000: .*real-s1.jsonl covers 0 to [0-9.]+ s only/
EXIT     2

NAME     folders and endless files end in one line
TIMEOUT  10
RUN      $KVPSI explain /dev/zero; mkdir d; $KVPSI explain d
EXPECT   /dev/zero: line 1: is longer than any tick
EXPECT   d: cannot read the journal
EXIT     3

NAME     --at and --all exclude each other
RUN      $KVPSI explain $SOURCE_DIR/tests/golden/real-s1.jsonl --at 0 --all
EXPECT   kvpsi explain:
EXIT     2

NAME     a file that is cut is told as far as it goes
RUN      head -c 5000 $SOURCE_DIR/tests/golden/real-s1.jsonl >cut; $KVPSI explain cut
EXPECT   cut: ends inside a line, which is left out
EXPECT   at 0.000 s: began

NAME     a garbled line is named by its number
RUN      (head -2 $SOURCE_DIR/tests/golden/real-s1.jsonl; echo garbage) >bad; $KVPSI explain bad
EXPECT   bad: line 3: is not a JSON object
EXIT     2

NAME     another schema is refused
RUN      echo '{"schema":"else/1"}' >bad; $KVPSI explain bad
EXPECT   bad: line 1: is not of schema kvpsi.tick/1
EXIT     3

NAME     a configuration that does not fit its hash is refused
RUN      echo '{"schema":"kvpsi.config/1","config":{},"config_hash":"0"}' >bad; $KVPSI explain bad
EXPECT   bad: line 1: config.
EXIT     3

NAME     an empty file has nothing to tell
RUN      : >none; $KVPSI explain none
EXPECT   none: holds no whole tick
EXIT     1

NAME     no such file
RUN      $KVPSI explain absent
EXPECT   absent: cannot open the journal
EXIT     2
