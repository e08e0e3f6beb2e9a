#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hundreds of requests of every kind, asked of a stock server twice and of the governed one: what
a stock server answers alike both times, the governed one answers too."""
import concurrent.futures
import os
import tempfile
import unittest

from request_mix import Mix, ask, take
from server_process import Server

SEED = int(os.environ.get("KVPSI_SEED", "1"))
AT_LEAST = 300
CLIENTS = 6  # twice the slots
# The model has no tokens for infill; any will do for a comparison.
INFILL = [word for i, name in enumerate(("pre", "suf", "mid"))
          for word in ("--override-kv", f"tokenizer.ggml.fim_{name}_token_id=int:{3 + i}")]


def said(server, request):
    """Status and text alone: which slot was free, and what lay in it, is chance where they race."""
    status, answer = ask(server, request)
    return status, answer["content"]


def play(kind):
    """All requests and their answers, of one kind of server."""
    mix = Mix(SEED)
    one_by_one, embeddings, raced = take(mix.any, 280), take(mix.embedding, 24), take(mix.sure, 24)
    with tempfile.TemporaryDirectory() as slots, \
            Server(kind, "-c", "4096", "-np", "3", "--slot-save-path", f"{slots}/",
                   "--slots", *INFILL) as server:
        answers = [ask(server, request) for request in one_by_one]
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
            of_raced = list(clients.map(lambda request: said(server, request), raced))
    with Server(kind, "-c", "1024", "-np", "2", "--embeddings", "--pooling", "mean") as server:
        answers += [ask(server, request) for request in embeddings]
    return one_by_one + embeddings + raced, answers + of_raced


class Differential(unittest.TestCase):
    def test_what_stock_answers_alike_twice_the_governed_one_answers_too(self):
        with concurrent.futures.ThreadPoolExecutor(3) as together:
            runs = list(together.map(play, ["stock", "governed", "stock"]))
        requests, first = runs[0]
        governed, second = runs[1][1], runs[2][1]
        alike = [i for i in range(len(requests)) if first[i] == second[i]]
        unlike = [i for i in alike if governed[i] != first[i]]
        print(f"{len(requests)} requests, {len(alike)} equal in two stock runs, "
              f"{len(alike) - len(unlike)} equal governed")
        self.assertGreaterEqual(len(alike), AT_LEAST)
        refused = sum(answer[0] >= 400 for answer in first)
        self.assertLess(refused, 0.08 * len(requests), "nothing is learned from refusals")
        for i in unlike:
            with self.subTest(number=i, request=requests[i]):
                self.assertEqual(governed[i], first[i])


if __name__ == "__main__":
    unittest.main()
