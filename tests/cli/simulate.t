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
EXPECT   /step_lossy +none/
EXPECT   kvpsi / avg10 stall: geometric mean
EXPECT   /1 scenarios x 2 seeds, 0 violations/
EXIT     0

NAME     the same as JSON
RUN      $KVPSI simulate --scenario step_lossy --seeds 1 --json
EXPECT   "schema":"kvpsi.simulate/1"
EXPECT   "violations":[]
EXIT     0

NAME     a scenario of one's own
RUN      printf '{"title":"x","duration_s":5,"colour":1}' >own.json; $KVPSI simulate --scenario own.json
EXPECT   kvpsi simulate: own.json: machine: is missing
EXIT     2

NAME     no such scenario
RUN      $KVPSI simulate --scenario nothing_like_it
EXPECT   nothing_like_it: no scenario of this name (kvpsi simulate --list) and no such file
EXIT     2

NAME     no such law
RUN      $KVPSI simulate --law magic
EXPECT   magic
EXIT     2

NAME     a journal that is not there
RUN      $KVPSI simulate --replay absent.jsonl
EXPECT   absent.jsonl: cannot open the journal
EXIT     2

NAME     other constants make sense for a replay only
RUN      $KVPSI simulate --policy-config x.toml
EXPECT   --policy-config
EXIT     2
