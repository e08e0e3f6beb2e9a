#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Configures and builds one preset, quietly: what matters is a line at the start, one at the end,
# and the errors. The whole output is in build/<preset>/build.log.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-release}
build="build/$preset"
log="$build/build.log"
mkdir -p "$build"

fail() {
    grep -E -A 5 'error:|CMake Error|FAILED:' "$log" | head -n 60 >&2 || true
    echo "build: $preset failed; the whole output is in $log" >&2
    exit 1
}

minutes=three
[[ $preset != server ]] || minutes=eight

SECONDS=0
echo "build: $preset (the first time takes about $minutes minutes on 2 cores; log: $log)"
cmake --preset "$preset" >"$log" 2>&1 || fail
if [[ -t 1 ]]; then
    cmake --build --preset "$preset" -j "$(nproc)" 2>&1 | tee -a "$log" || fail
else
    cmake --build --preset "$preset" -j "$(nproc)" >>"$log" 2>&1 || fail
fi
echo "build: $preset ready after $SECONDS s"
