# SPDX-License-Identifier: MIT
# `kvpsi simulate --journal`, and `--replay` of what it, or a real run, recorded.

NAME     a simulated run is recorded, replayed exactly and explained
RUN      $KVPSI simulate --scenario step_lossy --seed 7 --journal j.jsonl >/dev/null && head -c 26 j.jsonl && echo; $KVPSI simulate --replay j.jsonl; $KVPSI explain j.jsonl
EXPECT   {"schema":"kvpsi.config/1"
EXPECT   /^[0-9]+ decisions, all reproduced$/
EXPECT   at 0.000 s: began at level calm
EXPECT   /asked kv to trim [0-9.]+ MiB/

NAME     one seed is one journal, byte by byte
RUN      for n in 1 2; do $KVPSI simulate --scenario tiny_cache --seed 2 --journal $n.jsonl >/dev/null; done; cmp 1.jsonl 2.jsonl && echo same
EXPECT   same

NAME     a journal is of one run
RUN      $KVPSI simulate --journal j; $KVPSI simulate --scenario quiet --seeds 3 --journal j; $KVPSI simulate --scenario quiet --law all --journal j; ls
EXPECT   kvpsi simulate: --journal is of one run: name one --scenario
EXPECT   kvpsi simulate: --journal is of one run: --seeds 3 makes more, name one --seed
EXPECT   kvpsi simulate: --journal records the law kvpsi, which replay and explain know, not 'all'

NAME     a journal that cannot be written
RUN      $KVPSI simulate --scenario quiet --journal absent/j.jsonl
EXPECT   kvpsi simulate: absent/j.jsonl: cannot create the journal
EXIT     2

NAME     a full disk is told
RUN      $KVPSI simulate --scenario quiet --journal /dev/full
EXPECT   kvpsi simulate: /dev/full: cannot begin the journal (No space left on device)
EXIT     3

NAME     the golden journals replay exactly
RUN      for f in $SOURCE_DIR/tests/golden/sim-*.jsonl; do $KVPSI simulate --replay $f --json || exit 9; done | python3 -c 'import json,sys; print(all(json.loads(l)["holds"] for l in sys.stdin))'
EXPECT   True

NAME     other constants show what would have differed
RUN      echo 'trim_allowed = false' >c.toml; $KVPSI simulate --replay $SOURCE_DIR/tests/golden/sim-lossy.jsonl --policy-config c.toml
EXPECT   /^[1-9][0-9]* decisions differ$/
EXPECT   /bytes asked of trims +[0-9.]+ MiB +0 B/

NAME     the same constants differ in nothing
RUN      echo 'trim_allowed = true' >c.toml; $KVPSI simulate --replay $SOURCE_DIR/tests/golden/sim-lossy.jsonl --policy-config c.toml --json
EXPECT   "changed":0

NAME     constants that contradict each other are refused
RUN      G=$SOURCE_DIR/tests/golden/sim-lossy.jsonl; for c in 'high_some = 7' 'group_reserve_low_share = 0.9' 'fast_window_us = 0' 'leave_high_some = 0.9' 'reserve_low_bytes = "100XB"' 'hihg_some = 0.2'; do echo "$c" >c.toml; $KVPSI simulate --replay $G --policy-config c.toml; done
EXPECT   c.toml: high_some (7) must be a share from 0 to 1
EXPECT   c.toml: group_reserve_low_share (0.9) must not be above group_reserve_high_share
EXPECT   c.toml: fast_window_us (0) must be more than 0
EXPECT   c.toml: leave_high_some (0.9) must not be above high_some
EXPECT   c.toml: line 1: '"100XB"' is no value for reserve_low_bytes (a size in B, KiB, MiB, GiB or TiB, such as "64MiB")
EXPECT   c.toml: line 1: the law has no constant 'hihg_some'; did you mean 'high_some'?
EXIT     2

NAME     a journal with several configurations is replayed under each from its line on
RUN      for s in 1 2; do $KVPSI simulate --scenario $SOURCE_DIR/tests/golden/sim-lossy.json --seed $s --journal $s >/dev/null; done; sed 's/"kv_max": "40MiB"/"kv_max": "41MiB"/' $SOURCE_DIR/tests/golden/sim-cap.json >cap.json; $KVPSI simulate --scenario cap.json --journal 3 >/dev/null; cat 1 3 2 >all; $KVPSI simulate --replay all; $KVPSI explain all --at 5 | tail -1
EXPECT   /^[0-9]+ decisions, all reproduced$/
EXPECT   allowed: release yes, trim yes
REJECT   another configuration

NAME     a damaged decision is named
RUN      sed '9s/"need_bytes":[0-9]*/"need_bytes":77777/' $SOURCE_DIR/tests/golden/sim-lossy.jsonl >bad; $KVPSI simulate --replay bad
EXPECT   /decision 8: decision.need_bytes was 77777, is now [0-9]+/
EXIT     1

NAME     a damaged line is named by its number
RUN      sed '9s/"sample"/"sample/' $SOURCE_DIR/tests/golden/sim-lossy.jsonl >bad; $KVPSI simulate --replay bad
EXPECT   kvpsi simulate: bad: line 9: is not a JSON object
EXIT     2

NAME     a truncated journal is replayed as far as it goes
RUN      head -c 20000 $SOURCE_DIR/tests/golden/sim-lossy.jsonl >cut; $KVPSI simulate --replay cut
EXPECT   kvpsi simulate: cut: ends inside a line, which is left out
EXPECT   /^[0-9]+ decisions, all reproduced$/

NAME     lost lines are told
RUN      sed '20,24d' $SOURCE_DIR/tests/golden/sim-lossy.jsonl >gap; $KVPSI simulate --replay gap
EXPECT   /^18 decisions, all reproduced$/
EXPECT   /decisions after 1 gaps? not compared/

NAME     an empty journal, and one that holds its configuration only
RUN      : >none; $KVPSI simulate --replay none; head -1 $SOURCE_DIR/tests/golden/sim-lossy.jsonl >one; $KVPSI simulate --replay one
EXPECT   kvpsi simulate: none: holds no whole tick, so nothing can be replayed
EXPECT   kvpsi simulate: one: holds no whole tick, so nothing can be replayed
EXIT     1

NAME     folders and endless files
TIMEOUT  10
RUN      mkdir d; $KVPSI simulate --replay d; $KVPSI simulate --replay /dev/zero
EXPECT   d: cannot read the journal
EXPECT   /dev/zero: line 1: is longer than any tick
EXIT     2

NAME     a picture of one run
REQUIRES gnuplot
RUN      $KVPSI simulate --scenario tiny_cache --plot p.png >/dev/null; $KVPSI simulate --scenario tiny_cache --law avg10 --plot p.svg; head -c 4 p.png | tail -c 3; echo; grep -c avg10 p.svg
EXPECT   PNG
EXPECT   /tiny_cache +kvpsi/
EXPECT   /tiny_cache +avg10/

NAME     a picture that cannot be written is told before anything runs
RUN      $KVPSI simulate --scenario quiet --plot absent/p.png
EXPECT   kvpsi simulate: absent/p.png: cannot write the picture (No such file or directory)
REJECT   scenarios x
EXIT     2

NAME     no file is written that is read, or that the other option writes
RUN      cp $SOURCE_DIR/scenarios/tiny_cache.json own.svg; ln own.svg hard.svg; ln -s own.svg soft.svg; md5sum own.svg >sum
RUN      S="$KVPSI simulate --scenario own.svg"; for f in own.svg ./../$(basename $PWD)/own.svg hard.svg soft.svg; do $S --plot $f; $S --journal $f; done
RUN      $S --journal new.svg --plot $PWD/new.svg; code=$?; ls new.svg; md5sum -c sum; exit $code
EXPECT   kvpsi simulate: own.svg: is the scenario, which would be overwritten; name another file
EXPECT   kvpsi simulate: hard.svg: is the scenario, which would be overwritten
EXPECT   kvpsi simulate: soft.svg: is the scenario, which would be overwritten
EXPECT   /new.svg: --journal and --plot name the same file/
EXPECT   own.svg: OK
EXPECT   cannot access 'new.svg'
REJECT   scenarios x
EXIT     2

NAME     a shipped scenario reads no file, so one of its name may be written
RUN      $KVPSI simulate --scenario tiny_cache --journal tiny_cache >/dev/null; head -c 27 tiny_cache
EXPECT   {"schema":"kvpsi.config/1",

NAME     a directory and a file below a file are told before anything runs
RUN      mkdir d.svg; : >file; S="$KVPSI simulate --scenario quiet"; $S --plot d.svg; $S --journal d.svg; $S --plot file/p.svg; $S --journal new/
EXPECT   kvpsi simulate: d.svg: cannot write the picture (Is a directory)
EXPECT   kvpsi simulate: d.svg: cannot create the journal (Is a directory)
EXPECT   kvpsi simulate: file/p.svg: cannot write the picture (Not a directory)
EXPECT   kvpsi simulate: new/: cannot create the journal (Is a directory)
REJECT   scenarios x
EXIT     2

NAME     nothing is left of a plot that is killed while it is drawn
RUN      mkdir bin tmp; printf '#!/bin/sh\n: >started\nexec sleep 2\n' >bin/gnuplot; chmod +x bin/gnuplot
RUN      TMPDIR=$PWD/tmp PATH=$PWD/bin:$PATH $KVPSI simulate --scenario tiny_cache --plot p.svg >/dev/null & run=$!
RUN      for i in $(seq 200); do [ -e started ] && break; sleep 0.05; done; ls started; kill -KILL $run; wait $run; echo "left: $(ls tmp; ls | grep p.svg)."
EXPECT   started
EXPECT   left: .

NAME     KVPSI_JOURNAL is meant for `kvpsi run`
RUN      KVPSI_JOURNAL=j $KVPSI simulate --scenario quiet --seeds 2; ls
EXPECT   1 scenarios x 2 seeds
REJECT   /^j$/

NAME     no gnuplot, and a name that is no picture's
RUN      PATH= $KVPSI simulate --scenario quiet --plot p.png; echo "code $?"; $KVPSI simulate --scenario quiet --plot p.pdf
EXPECT   kvpsi simulate: p.png: cannot draw it, gnuplot is not installed; apt-get install gnuplot-nox
EXPECT   code 3
EXPECT   kvpsi simulate: p.pdf: a plot's name ends in .svg or .png
EXIT     2
