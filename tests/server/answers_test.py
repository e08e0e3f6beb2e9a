#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Answers of the governed server are those of a stock one, at temperature 0.

What two stock runs answer differently (batches of parallel requests form by chance) is left out,
and must be the exception.
"""
import concurrent.futures
import pathlib
import tempfile
import unittest

from server_process import Server

TEXT = ("The river rises in the hills above the old town and runs for ninety miles to the sea. "
        "Boats once carried wool, slate and salt along it. ") * 6
LEAST_COMPARED = 0.75


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
    """Requests of four clients, more than there are slots. Batches form by chance, so each text is
    one that the model repeats without doubt, whatever the last bit of a logit says."""
    for i, what in enumerate(("wool", "slate", "salt", "coal", "corn", "iron")):
        line = f"On day {i} the boat carried {what} down the river to the sea and came back empty. "
        yield completion((line * (6 + i)).strip(), n_predict=24)


def words_of(answer):
    """Which slot served it, and what that slot had cached, is chance when clients race."""
    status, document = answer
    return status, document["content"], document["tokens_predicted"], document["tokens_evaluated"]


def play(server):
    """All answers of one server, by name."""
    answers = {}
    for i, (path, body) in enumerate(one_after_the_other()):
        answers[f"{i} {path}"] = server.post(path, body)
    with concurrent.futures.ThreadPoolExecutor(4) as clients:
        parallel = clients.map(lambda request: words_of(server.post(*request)), at_once())
        answers.update({f"parallel {i}": answer for i, answer in enumerate(parallel)})
    slot = {"filename": "slot.bin"}
    for action in ("save", "erase", "restore"):
        answers[action] = server.post(f"/slots/0?action={action}", slot)[0]
    answers["after restore"] = server.post(*completion("Salt is", id_slot=0))
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
        first, again = record("stock", *flags), record("stock", *flags)
        governed = record("governed", *flags)
        stable = [name for name in first if first[name] == again[name]]
        self.assertGreaterEqual(len(stable), LEAST_COMPARED * len(first),
                                "stock does not agree with itself")
        for name in stable:
            with self.subTest(name=name):
                self.assertEqual(governed[name], first[name])

    def test_as_stock(self):
        self.compare()

    def test_as_stock_with_q8_0_and_streams_of_their_own(self):
        self.compare("--no-kv-unified", "-ctk", "q8_0", "-ctv", "q8_0")

    def test_as_stock_without_mapped_weights(self):
        self.compare("--load-mode", "none")


if __name__ == "__main__":
    unittest.main()
