#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the rules of the house that no compiler checks; HACKING.md gives the reason of each.

Usage: tidy_test.py ROOT              the house rules, each violation as file:line: what
       tidy_test.py --shellcheck ROOT shellcheck over the shell scripts
       tidy_test.py --format ROOT     clang-format over the C++ sources, changing nothing
Exit code 0 clean, 1 violations, 77 the tool asked for is not installed.
"""
import pathlib
import re
import shutil
import subprocess
import sys

import source_text

SKIPPED = 77
FOLDERS = ("base model policy evict govern linux journal sim llama bench report serve cli").split()
PURE = {"model", "policy", "evict"}
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_COLUMNS = 400, 60, 100
MIN_HEADER_LINES, MAX_HEADER_LINES = 1, 10

# Outside libraries, and the first folder in the order that may use them (None: nobody below).
STDLIB_ONLY = set("base model policy evict govern linux".split())
LIBRARY_USERS = {
    "fmt/": set(FOLDERS) - STDLIB_ONLY,
    "nlohmann/": set(FOLDERS) - STDLIB_ONLY,
    "boost/": {"bench"},
    "xxhash.h": {"linux"},
    "CLI/": {"cli"},
}
IMPURE_HEADERS = {"chrono", "fstream", "iostream", "filesystem", "thread", "mutex", "random",
                  "unistd.h", "fcntl.h", "time.h", "ctime", "stdio.h", "cstdio"}
ENGINE_HEADER = re.compile(r"^(?:llama|ggml|gguf)(?:-[\w-]+)?\.h(?:pp)?$|^llama-cpp\.h$")

# (pattern, what to say, does the rule hold in this file?)
BANNED = [
    (r"_clock::now\b|\bclock_gettime\s*\(|\bgettimeofday\s*\("
     r"|\btime\s*\(\s*(?:nullptr|NULL|0)\s*\)",
     "reads a clock; only base/clock may", lambda f, name: name not in ("clock.cpp", "clock.h")),
    (r"(?<![\w.>])(?:std::)?(?:v?printf|puts|putchar|perror)\s*\("
     r"|\bv?fprintf\s*\(\s*std(?:out|err)\b"
     r"|\bstd::(?:cout|cerr|clog)\b|\bfmt::print(?:ln)?\s*\(\s*(?:std(?:out|err)\b|\"|R\")",
     "prints; a library returns what it has to say", lambda f, name: f != "cli"),
    (r"(?<![\w.>])(?:std::|::)?(?:abort|exit|quick_exit|terminate)\s*\(",
     "ends the process; a library returns an Error",
     lambda f, name: f != "cli" and name != "assert.cpp"),
    (r"\bposix_madvise\b", "posix_madvise ignores DONTNEED; use madvise", lambda f, name: True),
    (r"\bv?fork\s*\(", "forks; a copy keeps the engine's pages alive, exec a helper (bench may)",
     lambda f, name: f != "bench"),
]
# Written in two halves so that this file does not hold what it looks for.
MARKERS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
ISSUE_NUMBER = re.compile(r"\bissues?\s+#?\d+", re.IGNORECASE)

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
TEXT_SUFFIXES = {".cpp", ".h", ".py", ".sh", ".cmake", ".md", ".t", ".json"}
LINE_CAPPED = {".cpp", ".h", ".py", ".sh", ".cmake"}
TEST_TARGETS = re.compile(
    r"^tests/(?:unit/[a-z]+/\w+_test|(?:property|fault|sim|issues|golden)/\w+_test"
    r"|support/\w+|preload/\w+|bench_micro/\w+|fuzz/\w+_fuzz)\.cpp$")


class Tidy:
    """Walks one checkout and collects violations."""

    def __init__(self, root):
        self.root = root
        self.violations = []
        self.included_by = {}  # header, relative to src/ or tests/ -> files that include it
        self.cpp = sorted(p for top in ("src", "tests") for p in (root / top).rglob("*")
                          if p.suffix in (".cpp", ".h"))

    def report(self, path, line, what):
        self.violations.append(f"{path.relative_to(self.root)}:{line}: {what}")

    def run(self):
        for path in self.cpp:
            text = path.read_text(encoding="utf-8")
            self.check_header(path, text)
            self.check_functions(path, text)
            code = source_text.blank(text)
            self.check_includes(path, code)
            if path.is_relative_to(self.root / "src"):
                self.check_banned(path, code)
        for path in self.text_files():
            self.check_text(path)
        self.check_dead_files()
        self.check_unit_folders()
        return self.violations

    def text_files(self):
        skip = {"build", ".git", "kvpsi-out", "__pycache__"}
        for path in sorted(self.root.rglob("*")):
            parts = path.relative_to(self.root).parts
            named = path.name in ("CMakeLists.txt", "Makefile") or path.suffix in TEXT_SUFFIXES
            if named and path.is_file() and not skip.intersection(parts):
                yield path

    def check_text(self, path):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        capped = path.suffix in LINE_CAPPED or path.name == "CMakeLists.txt"
        if capped and len(lines) > MAX_FILE_LINES:
            self.report(path, MAX_FILE_LINES + 1, f"{len(lines)} lines, {MAX_FILE_LINES} at most")
        for number, line in enumerate(lines, start=1):
            if capped and len(line) > MAX_COLUMNS:
                self.report(path, number, f"{len(line)} columns, {MAX_COLUMNS} at most")
            if MARKERS.search(line):
                self.report(path, number, "leftover marker; do it or write down the limit")
            if ISSUE_NUMBER.search(line):
                self.report(path, number, "names an issue by number; say the reason itself")

    def check_header(self, path, text):
        lines = text.splitlines() + [""]
        if lines[0] != "// SPDX-License-Identifier: MIT":
            self.report(path, 1, "does not open with the SPDX line")
            return
        length = next(i for i, line in enumerate(lines[1:]) if not line.startswith("//"))
        if not MIN_HEADER_LINES <= length <= MAX_HEADER_LINES:
            self.report(path, 2, f"file header of {length} lines: say what it is, what it must not "
                                 "do, where the next hop is")
        if path.suffix == ".h" and "\n#pragma once\n" not in text:
            self.report(path, 1, "header without #pragma once")

    def check_functions(self, path, text):
        for first, last, head in source_text.find_functions(text):
            if last - first + 1 > MAX_FUNCTION_LINES:
                self.report(path, first, f"function of {last - first + 1} lines, "
                                         f"{MAX_FUNCTION_LINES} at most: {head[:60]}")

    def check_includes(self, path, code):
        parts = path.relative_to(self.root).parts
        folder = parts[1] if parts[0] == "src" else None
        for match in INCLUDE.finditer(code):
            quote, name = match.groups()
            line = code.count("\n", 0, match.start()) + 1
            own = quote == '"' and any((self.root / top / name).is_file()
                                       for top in ("src", "tests"))
            beside = path.parent / name
            if quote == '"' and folder is None and beside.is_file():  # tests may say it short
                name = str(beside.resolve().relative_to(self.root / "tests"))
                own = True
            if own:
                self.included_by.setdefault(name, set()).add(path)
            if folder:
                self.check_include(path, line, folder, quote, name, own)

    def check_include(self, path, line, folder, quote, name, own):
        target = name.split("/")[0]
        if own and target in FOLDERS and folder in FOLDERS:
            if FOLDERS.index(target) > FOLDERS.index(folder):
                self.report(path, line, f"{folder} includes {name}: {target} is below it in the "
                                        "order of the house")
        elif ENGINE_HEADER.match(name):
            if folder != "llama":
                self.report(path, line, f"includes {name}: only src/llama may see the engine")
        elif quote == '"' and folder != "llama":
            self.report(path, line, f"includes {name}, which is not below src/")
        for prefix, users in LIBRARY_USERS.items():
            if name.startswith(prefix) and folder not in users:
                self.report(path, line, f"{folder} must not use {prefix.rstrip('/')}")
        if folder in PURE and quote == "<" and name in IMPURE_HEADERS:
            self.report(path, line, f"{folder} is pure: no <{name}>")

    def check_banned(self, path, code):
        folder = path.relative_to(self.root).parts[1]
        for pattern, what, applies in BANNED:
            if applies(folder, path.name):
                for match in re.finditer(pattern, code):
                    self.report(path, code.count("\n", 0, match.start()) + 1,
                                f"'{match.group(0).strip()}' {what}")

    def check_dead_files(self):
        for path in self.cpp:
            relative = path.relative_to(self.root)
            if path.suffix == ".h":
                name = str(pathlib.Path(*relative.parts[1:]))
                users = self.included_by.get(name, set()) - {path.with_suffix(".cpp"), path}
                if not users:
                    self.report(path, 1, "no file but its own includes this header")
            elif relative.parts[0] == "src":
                if len(relative.parts) != 3 or relative.parts[1] not in FOLDERS:
                    self.report(path, 1, "no target builds this: src/<folder>/<file>.cpp only")
            elif not TEST_TARGETS.match(str(relative)):
                self.report(path, 1, "no target builds this: see cmake/tests.cmake for the names")

    def check_unit_folders(self):
        unit = self.root / "tests" / "unit"
        for path in sorted(unit.iterdir()) if unit.is_dir() else []:
            if path.name not in FOLDERS or not (self.root / "src" / path.name).is_dir():
                self.report(path, 1, "mirrors no folder of src/")


def run_tool(command, files):
    """Runs a checker over files, its report going to stdout."""
    if shutil.which(command[0]) is None:
        print(f"SKIP {command[0]}: not installed (scripts/install-deps.sh)")
        return SKIPPED
    return 1 if subprocess.run(command + [str(f) for f in files], check=False).returncode else 0


def main():
    root = pathlib.Path(sys.argv[-1]).resolve()
    if "--shellcheck" in sys.argv:
        scripts = sorted([*root.glob("scripts/*.sh"), root / ".ci" / "run"])
        return run_tool(["shellcheck"], scripts)
    tidy = Tidy(root)
    if "--format" in sys.argv:
        return run_tool(["clang-format-19", "--dry-run", "--Werror"], tidy.cpp)
    violations = tidy.run()
    for violation in violations:
        print(violation)
    print(f"{len(violations)} violations in {len(tidy.cpp)} C++ files")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
