# SPDX-License-Identifier: MIT
# `kvpsi simulate`: the law on synthetic machines.

NAME     the shipped scenarios are listed with their titles
RUN      $KVPSI simulate --list
EXPECT   /measured_s2 +[A-Za-z]/
EXPECT   /ramp_no_swap +[A-Za-z]/
EXIT     0

NAME     a scenario is run under all laws, scored and compared
RUN      $KVPSI simulate --scenario step_lossy --seeds 2 --law all
EXPECT   /step_lossy +kvpsi/
EXPECT   /step_lossy +avg10/
EXPECT   /step_lossy +senpai/
EXPECT   /step_lossy +arc/
EXPECT   /step_lossy +cachelib/
EXPECT   /step_lossy +none/
EXPECT   /^kvpsi \/ +own stall +KV given up without need/
EXPECT   /^avg10 +0\.[0-9]+ +0\.[0-9]+ step_lossy +0\.[0-9]+ +0\.[0-9]+ step_lossy +0 +[0-9]+ +[0-9]+$/
EXPECT   /1 scenarios x 2 seeds, 0 violations/
EXIT     0

NAME     the same as JSON
RUN      $KVPSI simulate --scenario step_lossy --seeds 1 --json
EXPECT   "schema":"kvpsi.simulate/1"
EXPECT   "violations":[]
EXIT     0

NAME     the comparison as JSON, ours first
RUN      $KVPSI simulate --scenario step_lossy --seeds 2 --law all --json
EXPECT   "comparison":[{"law":"kvpsi","runs":2,"runs_killed":0
EXPECT   {"law":"cachelib","runs":2
EXPECT   "own_stall_ratio":{"mean":0.
EXIT     0

NAME     a rival alone is neither judged nor compared
RUN      $KVPSI simulate --scenario step_lossy --seeds 1 --law arc
EXPECT   /step_lossy +arc/
EXPECT   not judged: only the law kvpsi makes promises
REJECT   KV given up without need
EXIT     0

NAME     a scenario of one's own
RUN      printf '{"title":"x","duration_s":5,"colour":1}' >own.json; $KVPSI simulate --scenario own.json
EXPECT   kvpsi simulate: own.json: machine: is missing
EXIT     2

NAME     no such scenario
RUN      $KVPSI simulate --scenario nothing_like_it
EXPECT   nothing_like_it: no scenario of this name (kvpsi simulate --list) and no such file
EXIT     2

NAME     a mistyped scenario and a mistyped law are answered with the nearest one
RUN      $KVPSI simulate --scenario step_losy; $KVPSI simulate --law kvspi
EXPECT   step_losy: no scenario of this name (kvpsi simulate --list) and no such file; did you mean 'step_lossy'?
EXPECT   did you mean 'kvpsi'?
EXIT     2

NAME     no such law
RUN      $KVPSI simulate --law magic
EXPECT   /--law: 'magic' is none of all, kvpsi, avg10, senpai, arc, cachelib, none/
EXIT     2

NAME     a directory is no scenario
RUN      mkdir folder; $KVPSI simulate --scenario folder
EXPECT   kvpsi simulate: folder: is a directory, not a file
EXIT     2

NAME     an empty scenario
RUN      : >empty.json; $KVPSI simulate --scenario empty.json
EXPECT   kvpsi simulate: empty.json: is empty
EXIT     2

NAME     endless and waiting files end in one line
TIMEOUT  10
RUN      $KVPSI simulate --scenario /dev/zero; mkfifo pipe; $KVPSI simulate --scenario pipe
EXPECT   kvpsi simulate: /dev/zero: is larger than 1.00 MiB, the most such a file may have
EXPECT   kvpsi simulate: pipe: is empty
EXIT     2

NAME     control characters of a name are shown, not sent to the terminal
RUN      $KVPSI simulate --scenario $'a\033[31mb\nc'
EXPECT   kvpsi simulate: a\x1b[31mb\nc: no scenario of this name
EXIT     2

NAME     a unit nobody knows
RUN      sed 's/"ram": "[^"]*"/"ram": "100XB"/' $SOURCE_DIR/scenarios/quiet.json >own.json; $KVPSI simulate --scenario own.json
EXPECT   own.json: machine.ram: '100XB' is not a size; write a number and B, KiB, MiB, GiB or TiB, such as 512MiB
EXIT     2

NAME     a promise that could never be checked is refused
RUN      sed 's/"relief_s": [0-9]*/"relief_s": 190/' $SOURCE_DIR/scenarios/step_lossy.json >own.json; $KVPSI simulate --scenario own.json
EXPECT   own.json: expect.relief_s: with "settle_s" (60)
EXIT     2

NAME     a journal that is not there
RUN      $KVPSI simulate --replay absent.jsonl
EXPECT   absent.jsonl: cannot open the journal
EXIT     2

NAME     other constants make sense for a replay only
RUN      $KVPSI simulate --policy-config x.toml
EXPECT   --policy-config
EXIT     2

NAME     progress within one long run, on a terminal
TIMEOUT  60
RUN      sed 's/"duration_s": [0-9]*/"duration_s": 60000/' $SOURCE_DIR/scenarios/quiet.json >long.json; python3 -c 'import pty,sys; pty.spawn(sys.argv[1:])' $KVPSI simulate --scenario long.json --seeds 1
EXPECT   /\[[#.]+\] +[0-9]+ % 0 of 1 runs, long.json/
EXPECT   1 scenarios x 1 seeds, 0 violations

NAME     a neighbour and a trace beyond the end are refused with their place
RUN      S=$SOURCE_DIR/scenarios; sed 's/"end_s": 100/"end_s": 900/' $S/step_lossy.json >a.json; $KVPSI simulate --scenario a.json; sed 's/"duration_s": [0-9]*/"duration_s": 30/; s/"expect".*/"expect": {}/' $S/trace_build.json >b.json; $KVPSI simulate --scenario b.json
EXPECT   a.json: neighbours[0].end_s: is after the end of the scenario
EXPECT   /b.json: neighbours\[0\]\.[a-z_]+(\[[0-9]+\])?: is after the end of the scenario/
EXIT     2
