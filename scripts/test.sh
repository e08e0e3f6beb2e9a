#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds and tests the given presets one after the other (default: dev asan tsan server) and ends
# with one line, `N passed, N failed, N skipped`, summed over all. Goes on after a failure, so that
# one run shows everything; the exit code says whether all held. Which preset runs what:
# CMakePresets.json.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 3

presets=("$@")
[[ ${#presets[@]} -gt 0 ]] || presets=(dev asan tsan server)
jobs=$(nproc)
random_bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 28)
results=()
broken=()

# run_step LOG COMMAND...: shows the command's output only when it fails, or on a terminal.
run_step() {
    local log=$1
    shift
    if [[ -t 1 ]]; then
        "$@" 2>&1 | tee "$log"
    elif ! "$@" >"$log" 2>&1; then
        grep -E 'error|FAILED|Error' "$log" | head -n 40
        tail -n 40 "$log"
        return 1
    fi
}

for preset in "${presets[@]}"; do
    build="build/$preset"
    mkdir -p "$build"
    rm -f "$build/ctest.xml"
    SECONDS=0
    echo "== $preset: configure and build (log: $build/build.log)"
    if ! run_step "$build/configure.log" cmake --preset "$preset" ||
        ! run_step "$build/build.log" cmake --build --preset "$preset" -j "$jobs"; then
        echo "== $preset: the build failed"
        broken+=("$preset")
        continue
    fi
    echo "== $preset: built in $SECONDS s"
    runner=()
    # ThreadSanitizer of gcc 12 cannot map its shadow where the kernel randomises over 28 bits.
    if [[ $preset == tsan && $random_bits -gt 28 ]]; then
        runner=(setarch "$(uname -m)" -R)
    fi
    ${runner[@]+"${runner[@]}"} ctest --preset "$preset" --no-tests=error \
        --output-junit "$PWD/$build/ctest.xml" || true
    if [[ -f $build/ctest.xml ]]; then
        results+=("$preset=$build/ctest.xml")
    else
        broken+=("$preset")
    fi
    echo "== $preset: done after $SECONDS s"
done

python3 scripts/sum_results.py --broken "${broken[*]-}" ${results[@]+"${results[@]}"}
