#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What being governed costs without pressure: a stock and a governed server side by side take the
same requests in turn, of one client and of four; tokens a second, seconds to the first token and
user CPU, governed / stock, means of the pairs with their 95 % interval. KVPSI and MODEL: see
server_process.py."""
import argparse
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import server_process  # noqa: E402  the path above comes first
from load import Load, talk_all  # noqa: E402
from machine import begin  # noqa: E402


def cpu_ticks(server):
    """User time of all its threads, in ticks."""
    stat = pathlib.Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(stat[11])


def measure(server, load):
    before = cpu_ticks(server)
    counts, _ = talk_all(server, load)
    assert counts.failed == 0 and counts.refused == 0, counts.errors
    return {"tokens/s": counts.tokens / sum(counts.turns),
            "first token": statistics.mean(counts.first_tokens),
            "user CPU": (cpu_ticks(server) - before) / counts.tokens}


def interval(values):
    """Mean and half-width of its 95 % interval."""
    return statistics.mean(values), 1.96 * statistics.stdev(values) / len(values) ** 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    options = parser.parse_args()
    begin(options)
    with server_process.Server("stock", "-c", "8192") as stock, \
            server_process.Server("governed", "-c", "8192") as governed:
        for clients in (1, 4):
            ratios = {}
            for pair in range(options.pairs + 1):
                # A prompt that was read before would come from the prompt cache.
                load = Load(clients=clients, turns=1, sentences=12, tokens=48, seconds=300,
                            first=10 * clients * pair)
                order = [stock, governed] if pair % 2 else [governed, stock]
                seen = {server: measure(server, load) for server in order}
                if pair == 0:
                    continue  # the first touches everything
                for what, value in seen[governed].items():
                    ratios.setdefault(what, []).append(value / seen[stock][what])
                time.sleep(0.2)
            for what, values in ratios.items():
                mean, half = interval(values)
                print(f"{clients} clients, {what}: governed / stock {mean:.3f} +- {half:.3f}, "
                      f"median {statistics.median(values):.3f}", flush=True)


if __name__ == "__main__":
    main()
