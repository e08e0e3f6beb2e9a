#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sums ctest's JUnit files: failures by name, skips with their reason, then one total line.

Usage: sum_results.py --broken "PRESET ..." PRESET=FILE.xml ...
A preset that did not build, or whose results cannot be read, counts as one failure.
Exit code 0 when nothing failed and something ran, else 1.
"""
import argparse
import re
import sys
import xml.etree.ElementTree as ElementTree

# GoogleTest prints "<file>:<line>: Skipped", then the reason; run_cases.py "SKIP <case> (<why>)".
GTEST_SKIP = re.compile(r"^\S+:\d+: Skipped\n(.*)$", re.MULTILINE)
CASE_SKIP = re.compile(r"^SKIP .* \((.*)\)$", re.MULTILINE)


def read_results(path):
    """Yields (test name, state, list of reasons) of one JUnit file."""
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.get("status") == "disabled":
            continue  # a helper that a test starts as a process of its own
        output = case.findtext("system-out") or ""
        reasons = [r.strip() for r in GTEST_SKIP.findall(output) + CASE_SKIP.findall(output)]
        state = {"run": "passed", "fail": "failed"}.get(case.get("status"), "skipped")
        yield case.get("name"), state, reasons


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broken", default="", help="presets that did not build")
    parser.add_argument("results", nargs="*", metavar="PRESET=FILE")
    options = parser.parse_args()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    failures = [f"{preset}: did not build" for preset in options.broken.split()]
    skips = {}
    for item in options.results:
        preset, _, path = item.partition("=")
        try:
            for name, state, reasons in read_results(path):
                counts[state] += 1
                if state == "failed":
                    failures.append(f"{preset}: {name}")
                if state == "skipped" and not reasons:
                    reasons = ["no reason given"]
                for reason in reasons:
                    skips.setdefault(reason, []).append(f"{preset}: {name}")
        except (OSError, ElementTree.ParseError) as error:
            failures.append(f"{preset}: no results ({error})")
    counts["failed"] = len(failures)
    print("== all presets")
    for reason, names in skips.items():
        cases = "1 case" if len(names) == 1 else f"{len(names)} cases"
        tests = sorted(set(names))
        shown = ", ".join(tests[:4]) + (f", {len(tests) - 4} more" if len(tests) > 4 else "")
        print(f"skipped {cases}: {reason} ({shown})")
    for failure in failures:
        print(f"failed {failure}")
    print(", ".join(f"{count} {state}" for state, count in counts.items()))
    return 0 if counts["passed"] and not counts["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
