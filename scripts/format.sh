#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# clang-format over our sources; `--check` changes nothing and names the files that differ.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -d '' files < <(find src tests \( -name '*.cpp' -o -name '*.h' \) -print0 | sort -z)
if [[ ${1:-} == --check ]]; then
    clang-format-19 --dry-run --Werror "${files[@]}"
else
    clang-format-19 -i "${files[@]}"
    echo "format: ${#files[@]} files"
fi
