#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a squeeze does to a server and to its neighbour: stock and governed llama-server, each with
a neighbour of several sizes under one memory limit, beside the same server without a neighbour.

Trials of one pair follow each other, and the order changes from pair to pair. One trial: the model
file out of the page cache, the server started inside the limit, the neighbour (kvpsi press, hot
anonymous memory) beside it, then clients that talk until they are done or time is up. Tokens that
arrived over the time are the speed; a neighbour that was killed is a failure of the server it had.
Needs root, KVPSI and MODEL (see server_process.py).
"""
import argparse
import dataclasses
import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import server_process  # noqa: E402  the path above comes first
from groups import Neighbour, Squeeze, forget_pages  # noqa: E402
from load import Load, talk_all  # noqa: E402
from machine import begin  # noqa: E402

LOADS = {"chat": Load(), "decode": Load(clients=2, turns=1, sentences=20, tokens=600)}


def own_flags(kind, options):
    """Those that a stock server would not know."""
    return options.governed_flags.split() if kind == "governed" else ()


def trial(kind, mib, options):
    """One server, one neighbour, one load: what came of it."""
    forget_pages(server_process.MODEL)
    load = options.load_of
    with Squeeze(options.limit_mib) as squeeze, \
            server_process.Server(kind, "-c", str(options.context), *own_flags(kind, options),
                                  groups=squeeze.groups_of("server")) as server, \
            Neighbour(squeeze, mib) as neighbour:
        if mib:
            time.sleep(1)  # it takes its memory
        stall_us = squeeze.stall_us("server")
        counts, seconds = talk_all(server, load)
        result = {
            "kind": kind, "neighbour_mib": mib, "tokens": counts.tokens,
            "tok_s": counts.tokens / seconds, "seconds": seconds,
            "turn_p50_s": statistics.median(counts.turns) if counts.turns else None,
            "some_pct": (squeeze.stall_us("server") - stall_us) / seconds / 1e4,
            "failed": counts.failed, "refused": counts.refused, "errors": counts.errors[:3],
            "server_died": server.process.poll() is not None,
            "neighbour_died": neighbour.is_dead(), "oom_kills": squeeze.kills()}
    return result


def show(result):
    turn = result["turn_p50_s"]
    print(f"{result['kind']:9} neighbour {result['neighbour_mib']:4} MiB: "
          f"{result['tok_s']:6.2f} tok/s, turn {turn if turn is None else round(turn, 1)} s, "
          f"stalled {result['some_pct']:4.1f} %, failed {result['failed']}, "
          f"refused {result['refused']}, "
          f"{'SERVER DIED ' * result['server_died']}"
          f"{'NEIGHBOUR DIED' * result['neighbour_died']}", flush=True)
    for error in result["errors"]:
        print(f"          {error}", flush=True)


def spread(values):
    """Median and range."""
    return f"{statistics.median(values):5.2f} ({min(values):.2f}..{max(values):.2f})"


def compare(results, options):
    """Ratios of each pair, by the size of the neighbour."""
    for mib in options.neighbours:
        def column(kind, size, field="tok_s"):
            return [r[field] for r in results if r["kind"] == kind and r["neighbour_mib"] == size]
        governed, stock = column("governed", mib), column("stock", mib)
        line = f"neighbour {mib:4} MiB: governed"
        if mib and column("stock", 0):
            rest = column("stock", 0)
            line += f" / undisturbed {spread([g / u for g, u in zip(governed, rest)])}"
        if stock:
            line += f", / stock {spread([g / max(s, 0.01) for g, s in zip(governed, stock)])}"
        deaths = {kind: sum(column(kind, mib, "server_died") + column(kind, mib, "neighbour_died"))
                  for kind in options.kinds}
        print(f"{line}; failed {sum(column('governed', mib, 'failed'))}, dead: {deaths}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neighbours", type=int, nargs="+", default=[0, 100, 140, 180, 225, 270],
                        metavar="MIB")
    parser.add_argument("--kinds", nargs="+", default=["stock", "governed"],
                        choices=["stock", "governed"])
    parser.add_argument("--load", choices=LOADS, default="chat")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--limit-mib", type=int, default=420)
    parser.add_argument("--seconds", type=float, default=30, help="time of a trial's load")
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--governed-flags", default="", metavar="FLAGS",
                        help="more options for the governed server, in one word")
    parser.add_argument("--json", metavar="FILE", help="also write every trial")
    options = parser.parse_args()
    options.load_of = dataclasses.replace(LOADS[options.load], seconds=options.seconds)
    begin(options)
    results = []
    for pair in range(options.pairs):
        for mib in options.neighbours:
            for kind in options.kinds[::-1] if pair % 2 else options.kinds:
                results.append(trial(kind, mib, options))
                show(results[-1])
    compare(results, options)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
