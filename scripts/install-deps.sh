#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Installs the Debian packages the build, the tests and the benchmark need. Says what it installs;
# does nothing, and asks the network nothing, when all are there. Uses sudo when not root.
# `--list` prints the packages. Why each is needed: HACKING.md.
set -euo pipefail

packages=(
    # toolchain
    build-essential cmake ninja-build ccache git ca-certificates
    clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev shellcheck
    # fetching and scripts
    python3 python3-pip time util-linux util-linux-extra
    # libraries of the command line, the journal and the reports
    libcli11-dev libfmt-dev nlohmann-json3-dev libboost-math-dev gnuplot-nox
    # checksums of spilled blocks
    libxxhash-dev
    # tests
    libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev
)

fail() {
    echo "install-deps: $1" >&2
    exit 3
}

is_installed() {
    local state
    # The format's ${...} is dpkg's own, not the shell's.
    # shellcheck disable=SC2016
    state=$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) || return 1
    [[ $state == installed ]]
}

if [[ ${1:-} == --list ]]; then
    printf '%s\n' "${packages[@]}"
    exit 0
fi
[[ $# -eq 0 ]] || { echo "usage: $0 [--list]" >&2; exit 2; }

if ! command -v dpkg-query >/dev/null; then
    echo "install-deps: not a Debian system; install the like of these yourself: ${packages[*]}" >&2
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
    echo "install-deps: all ${#packages[@]} packages are installed"
    exit 0
fi

as_root=()
if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null ||
        fail "no sudo here; as root run: apt-get install ${missing[*]}"
    as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
as_root+=(env DEBIAN_FRONTEND=noninteractive)

echo "install-deps: installing ${#missing[@]} Debian packages: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run_apt() {
    if ! "${as_root[@]}" apt-get -q -y "$@" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "apt-get $1 failed (see above); fix it or install by hand: ${missing[*]}"
    fi
}
run_apt update
run_apt install --no-install-recommends "${missing[@]}"
echo "install-deps: done"
