#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the text cases of one .t file against the kvpsi program.

A file is a list of cases separated by blank lines; lines that start with # are comments:

    NAME     an unknown flag is refused in one line
    REQUIRES model llama            (see find_missing for the words; a case is skipped without them)
    RUN      $KVPSI run --nope      (bash; several RUN lines are one script)
    EXPECT   --nope                 (substring of stdout+stderr, repeatable)
    EXPECT   /line [0-9]+/          (regular expression, multi-line mode)
    REJECT   terminate called       (must not occur; substring or /regex/)
    EXIT     2                      (default 0)
    TIMEOUT  10                     (seconds, default 30)

Each case runs in a fresh temporary directory with $KVPSI, $MODEL, $GEMMA and $SOURCE_DIR set.
Exit code: 0 all held, 1 one did not, 77 every case was skipped, 2 the file is malformed.
"""
import argparse
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

SKIPPED = 77
KEYS = {"NAME", "REQUIRES", "RUN", "EXPECT", "REJECT", "EXIT", "TIMEOUT"}


class Malformed(Exception):
    """A .t file that cannot be read; the text says where."""


def parse_cases(path):
    """Returns the cases as dicts of lists, in file order."""
    cases, case = [], {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() + [""], start=1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if case:
                if "NAME" not in case or "RUN" not in case:
                    raise Malformed(f"{path}:{number}: a case without NAME or RUN ends here")
                cases.append(case)
            case = {}
            continue
        key, _, value = line.partition(" ")
        if key not in KEYS:
            raise Malformed(f"{path}:{number}: unknown key '{key}'")
        case.setdefault("line", number)
        case.setdefault(key, []).append(value.strip())
    if not cases:
        raise Malformed(f"{path}: holds no case")
    return cases


def can_create_group():
    """True where this process may create a memory control group below its own or the root."""
    for parent in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
        probe = f"{parent}/kvpsi-case-probe-{os.getpid()}"
        if not os.path.isdir(parent):
            continue
        try:
            os.mkdir(probe)
        except OSError:
            continue
        usable = any(os.path.exists(f"{probe}/{name}") for name in
                     ("memory.max", "memory.limit_in_bytes"))
        os.rmdir(probe)
        if usable:
            return True
    return False


def find_gemma_archives(options):
    """The downloads that the second model was joined from."""
    cache = pathlib.Path(options.gemma).resolve().parents[1]
    return list(cache.glob("downloads/gemma3_270m_*.whl"))


def find_missing(requirement, options):
    """Why a requirement does not hold here, or None."""
    checks = {
        "llama": (lambda: options.llama == "1", "built without llama.cpp"),
        "model": (lambda: os.path.exists(options.model), f"no model at {options.model}"),
        "gemma": (lambda: os.path.exists(options.gemma),
                  f"no model at {options.gemma}: run make model-gemma"),
        "gemma-archives": (lambda: len(find_gemma_archives(options)) == 4,
                           "the four archives of the second model are not in downloads/"),
        "gnuplot": (lambda: shutil.which("gnuplot"), "gnuplot is not installed"),
        "root": (lambda: os.geteuid() == 0, "not root"),
        "cgroup-write": (can_create_group, "control groups cannot be created here"),
        "psi": (lambda: os.access("/proc/pressure/memory", os.R_OK),
                "no /proc/pressure/memory (kernel booted without psi=1?)"),
    }
    if requirement not in checks:
        raise Malformed(f"unknown requirement '{requirement}'")
    holds, reason = checks[requirement]
    return None if holds() else reason


def matches(pattern, text):
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        return re.search(pattern[1:-1], text, re.MULTILINE) is not None
    return pattern in text


def run_script(script, seconds, directory, options):
    """Returns (exit code or None on timeout, output). The whole process group ends with it."""
    source_dir = str(pathlib.Path(__file__).resolve().parents[2])
    env = dict(os.environ, KVPSI=options.program, MODEL=options.model, GEMMA=options.gemma,
               SOURCE_DIR=source_dir)
    with subprocess.Popen(["bash", "-c", script], cwd=directory, env=env, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return None, output


def check_case(case, options):
    """Runs one case; returns the list of what did not hold and the output."""
    seconds = float(case.get("TIMEOUT", ["30"])[-1])
    wanted = int(case.get("EXIT", ["0"])[-1])
    with tempfile.TemporaryDirectory(prefix="kvpsi-case-") as directory:
        code, output = run_script("\n".join(case["RUN"]), seconds, directory, options)
    problems = []
    if code is None:
        problems.append(f"still running after {seconds:g} s")
    elif code != wanted:
        problems.append(f"exit code {code}, expected {wanted}")
    problems += [f"output lacks: {p}" for p in case.get("EXPECT", []) if not matches(p, output)]
    problems += [f"output holds: {p}" for p in case.get("REJECT", []) if matches(p, output)]
    return problems, output


def main():
    parser = argparse.ArgumentParser(description="Run text cases of the kvpsi command line.")
    parser.add_argument("--program", required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--gemma", default="")
    parser.add_argument("--llama", choices=["0", "1"], default="1")
    parser.add_argument("file", type=pathlib.Path)
    options = parser.parse_args()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        for case in parse_cases(options.file):
            name = case["NAME"][-1]
            missing = [reason for requirement in " ".join(case.get("REQUIRES", [])).split()
                       if (reason := find_missing(requirement, options))]
            if missing:
                counts["skipped"] += 1
                print(f"SKIP {name} ({'; '.join(missing)})")
                continue
            problems, output = check_case(case, options)
            counts["failed" if problems else "passed"] += 1
            print(f"{'FAIL' if problems else 'PASS'} {name}")
            if problems:
                print(f"  at {options.file}:{case['line']}")
                print(f"  KVPSI={shlex.quote(options.program)}")
                print("  " + "\n  ".join(case["RUN"] + problems))
                print("  output:\n" + "\n".join("    | " + line for line in output.splitlines()))
    except (Malformed, OSError, ValueError) as error:
        print(f"run_cases: {error}", file=sys.stderr)
        return 2
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    if counts["failed"]:
        return 1
    return 0 if counts["passed"] else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
