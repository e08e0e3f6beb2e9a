#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What being governed costs without pressure: a stock and a governed server side by side take the
same requests in turn, of one client and of four; tokens a second, seconds to the first token and
user CPU, governed / stock. One pair of processes says the same time and again, another pair
something else: so every pair is two fresh processes, and the interval is that of the pairs. KVPSI
and MODEL: see server_process.py."""
import argparse
import collections
import math
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import server_process  # noqa: E402  the path above comes first
from load import Load, talk_all  # noqa: E402
from machine import begin  # noqa: E402

# 97.5 % points of Student's t by degrees of freedom.
STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
           2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064)


def cpu_ticks(server):
    """User time of all its threads, in ticks."""
    stat = pathlib.Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(stat[11])


def measure(server, load):
    """What one load cost this server: tokens, seconds of its turns and to first tokens, ticks."""
    before = cpu_ticks(server)
    counts, _ = talk_all(server, load)
    assert counts.failed == 0 and counts.refused == 0, counts.errors
    return collections.Counter({"tokens": counts.tokens, "turns": sum(counts.turns),
                                "first": sum(counts.first_tokens),
                                "ticks": cpu_ticks(server) - before})


def measure_pair(stock, governed, clients, options):
    """Governed / stock of each figure, over all rounds of one pair of processes."""
    sums = {stock: collections.Counter(), governed: collections.Counter()}
    rounds = max(1, options.rounds // clients)  # about as many requests
    for number in range(rounds + 1):
        # A prompt that was read before would come from the prompt cache.
        load = Load(clients=clients, turns=1, sentences=12, tokens=options.tokens, seconds=300,
                    first=1000 * clients + clients * number)
        for server in ((stock, governed) if number % 2 else (governed, stock)):
            seen = measure(server, load)
            if number > 0:  # the first touches everything
                sums[server] += seen
    for seen in sums.values():
        assert seen["tokens"] == clients * options.tokens * rounds, seen
    return {"tokens/s": sums[stock]["turns"] / sums[governed]["turns"],
            "first token": sums[governed]["first"] / sums[stock]["first"],
            "user CPU": sums[governed]["ticks"] / sums[stock]["ticks"]}


def student(freedom):
    """Its 97.5 % point; beyond the table by the first terms of its expansion."""
    if freedom <= len(STUDENT):
        return STUDENT[freedom - 1]
    return 1.960 + 2.372 / freedom + 2.82 / freedom ** 2


def interval(ratios):
    """Geometric mean and half-width of its 95 % interval."""
    logs = [math.log(ratio) for ratio in ratios]
    mean = math.exp(statistics.mean(logs))
    if len(logs) < 2:
        return mean, math.inf
    return mean, mean * student(len(logs) - 1) * statistics.stdev(logs) / len(logs) ** 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=12, help="pairs of fresh processes")
    parser.add_argument("--rounds", type=int, default=4,
                        help="requests of one client that count in a pair; of more, about as many")
    parser.add_argument("--tokens", type=int, default=48, help="tokens of an answer")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--kinds", nargs=2, default=["stock", "governed"],
                        metavar=("BASE", "OTHER"), help="stock stock shows the bench's own error")
    options = parser.parse_args()
    begin(options)
    seen = {}
    for pair in range(options.pairs):
        kinds = options.kinds if pair % 2 else options.kinds[::-1]
        with server_process.Server(kinds[0], "-c", "8192") as first, \
                server_process.Server(kinds[1], "-c", "8192") as second:
            base, other = (first, second) if pair % 2 else (second, first)
            for clients in options.clients:
                for what, ratio in measure_pair(base, other, clients, options).items():
                    seen.setdefault((clients, what), []).append(ratio)
        print(f"pair {pair + 1}: " + ", ".join(f"{clients} clients {what} {ratios[-1]:.3f}"
                                               for (clients, what), ratios in seen.items()),
              flush=True)
    for (clients, what), ratios in seen.items():
        mean, half = interval(ratios)
        print(f"{clients} clients, {what}: {options.kinds[1]} / {options.kinds[0]} {mean:.3f} +- "
              f"{half:.3f}, median {statistics.median(ratios):.3f}", flush=True)


if __name__ == "__main__":
    main()
