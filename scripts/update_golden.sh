#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Makes the golden journals of simulated runs anew (tests/golden/sim-*.jsonl from sim-*.json),
# after the law has changed on purpose: update_golden.sh [KVPSI]. Look at the difference before
# keeping it.
# Exit code: 0 done, 1 a run broke a promise or grew too large, 3 no program.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 3

kvpsi=${1:-build/release/bin/kvpsi}
if [[ ! -x $kvpsi ]]; then
    echo "update_golden: no program at $kvpsi; name one or run scripts/build.sh release" >&2
    exit 3
fi
most_bytes=200000
broken=0
for scenario in tests/golden/sim-*.json; do
    journal=${scenario}l
    "$kvpsi" simulate --scenario "$scenario" --seed 1 --journal "$journal" >/dev/null || broken=1
    bytes=$(stat -c %s "$journal")
    echo "$journal: $(($(wc -l <"$journal") - 1)) decisions, $bytes bytes"
    if ((bytes > most_bytes)); then
        echo "update_golden: $journal is over $most_bytes bytes; make its scenario shorter" >&2
        broken=1
    fi
    "$kvpsi" simulate --replay "$journal" >/dev/null || broken=1
done
exit "$broken"
