#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Answers of the governed server are those of a stock one, at temperature 0: to the letter where
requests follow each other, up to near ties where they race and batches form by chance."""
import concurrent.futures
import pathlib
import tempfile
import unittest

from server_process import Server

TEXT = ("The river rises in the hills above the old town and runs for ninety miles to the sea. "
        "Boats once carried wool, slate and salt along it. ") * 6
NEAR = 0.6  # nats; which prefixes and batches meet moves these logits by up to 0.3


def completion(prompt, **more):
    return "/completion", {"prompt": prompt, "n_predict": 12, "temperature": 0, **more}


def chat(*turns, **more):
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": turn} for i, turn in enumerate(turns)]
    return "/v1/chat/completions", {"messages": messages, "max_tokens": 12, "temperature": 0,
                                    **more}


def one_after_the_other():
    """Requests whose order matters: later ones reuse what earlier ones left in the cache."""
    yield completion(TEXT)
    yield completion(TEXT + "Today")
    yield completion(TEXT[:300] + " It floods")
    yield completion("Once upon a time", n_probs=3)
    yield completion("Once upon a time", stream=True)
    yield completion("Two things:", n_predict=8, stop=["\n"])
    yield completion("def f(x):", grammar='root ::= "\\n    return " [a-z]+')
    yield completion([1, 504, 23], cache_prompt=False)
    yield chat("What is a weir?")
    yield chat("What is a weir?", "A low dam.", "And a lock?")
    yield chat("Name a river.", stream=True)
    yield chat("Name a river.", n=2)
    yield "/v1/completions", {"prompt": "Salt is", "max_tokens": 6, "temperature": 0, "logprobs": 2}
    yield "/infill", {"input_prefix": "int f(", "input_suffix": "}", "n_predict": 6,
                      "temperature": 0}
    yield "/tokenize", {"content": "a lock and a weir"}


def at_once():
    """Requests of four clients, more than there are slots."""
    for i in range(6):
        yield completion(f"{TEXT[: 200 + 50 * i]} Chapter {i}:", n_predict=16, n_probs=5)


def disagreement(one, other):
    """Where two answers of requests that raced differ by more than how batches happened to form,
    which moves a logit a little: probabilities that are far apart, or another word without need."""
    for position, (ours, theirs) in enumerate(zip(one, other)):
        known = {choice["id"]: choice["logprob"] for choice in theirs["top_logprobs"]}
        if abs(known.get(ours["id"], -100) - ours["logprob"]) > NEAR:
            return f"token {position}: {ours} where the other has {theirs}"
        if ours["id"] != theirs["id"]:
            chosen, best = known[ours["id"]], known[theirs["id"]]
            return None if best - chosen < NEAR else f"token {position}: no near tie"
    return None


def play(server):
    """All answers of one server, by name."""
    answers = {}
    for i, (path, body) in enumerate(one_after_the_other()):
        answers[f"{i} {path}"] = server.post(path, body)
    with concurrent.futures.ThreadPoolExecutor(4) as clients:
        answers["parallel"] = list(clients.map(lambda request: server.post(*request), at_once()))
    slot = {"filename": "slot.bin"}
    for action in ("save", "erase", "restore"):
        answers[action] = server.post(f"/slots/0?action={action}", slot)[0]
    answers["after restore"] = server.post(*completion("Salt is", id_slot=0, cache_prompt=False))
    return answers


def record(kind, *flags):
    with tempfile.TemporaryDirectory() as slots, \
            Server(kind, "-c", "4096", "-np", "3", "--slot-save-path", f"{slots}/",
                   *flags) as server:
        answers = play(server)
        saved = list(pathlib.Path(slots).iterdir())
        assert saved, "no slot was saved"
        return answers


class Answers(unittest.TestCase):
    def compare(self, *flags):
        stock, governed = record("stock", *flags), record("governed", *flags)
        raced = zip(governed.pop("parallel"), stock.pop("parallel"))
        for i, ((status, ours), (_, theirs)) in enumerate(raced):
            with self.subTest(parallel=i):
                self.assertEqual(status, 200)
                probabilities = "completion_probabilities"
                self.assertIsNone(disagreement(ours[probabilities], theirs[probabilities]))
        for name, answer in stock.items():
            with self.subTest(name=name):
                self.assertEqual(governed[name], answer)

    def test_as_stock(self):
        self.compare()

    def test_as_stock_with_q8_0_and_streams_of_their_own(self):
        self.compare("--no-kv-unified", "-ctk", "q8_0", "-ctv", "q8_0")

    def test_as_stock_without_mapped_weights(self):
        self.compare("--load-mode", "none")


if __name__ == "__main__":
    unittest.main()
