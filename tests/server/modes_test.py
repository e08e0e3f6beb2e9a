#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The modes of llama-server: in each, the governed one answers as a stock one does."""
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from request_mix import Mix, ask, take
from server_process import KVPSI, MODEL, Server, wait_until

GEMMA = pathlib.Path(MODEL).with_name("gemma-3-270m-q4_k_m.gguf")
SMALL = ("-c", "3072", "-np", "3", "--kv-spill-flash")
TEXT = "The keeper of the lock writes down every boat that passes, its cargo and its owner. "


def completion(prompt, tokens=8, **more):
    return "POST", "/completion", {"prompt": prompt, "n_predict": tokens, "temperature": 0, **more}


def give_back(server):
    """The governed server pages out what rests, so that the next request needs it back."""
    if server.kind == "governed":
        server.request("POST", "/kvpsi/give-back")
        time.sleep(1)


def ask_and_give_back(server):
    """A few of all requests, twice, and between them the memory goes."""
    mix = Mix(3)
    answers = [ask(server, request) for request in take(mix.generation, 12)]
    give_back(server)
    return answers + [ask(server, request) for request in take(mix.generation, 12)]


class Modes(unittest.TestCase):
    def compare(self, *flags, script=ask_and_give_back, **more):
        """Both kinds through the script; the stock one's answers and the governed one's log."""
        with Server("stock", *self.theirs(flags), **more) as server:
            expected = script(server)
        with Server("governed", *flags, **more) as server:
            got = script(server)
            self.assertEqual(server.end(), 0, server.text())
            log = server.text()
        for i, (ours, theirs) in enumerate(zip(got, expected)):
            with self.subTest(number=i):
                self.assertEqual(ours, theirs)
        self.assertEqual(len(got), len(expected))
        return expected, log

    @staticmethod
    def theirs(flags):
        return [flag for flag in flags if not flag.startswith("--kv-spill")]

    def test_flash_attention_off(self):
        _, log = self.compare(*SMALL, "-fa", "off")
        self.assertIn("not governed: V cache is transposed", log)

    def test_q8_0(self):
        self.compare(*SMALL, "-ctk", "q8_0", "-ctv", "q8_0")

    def test_streams_of_their_own(self):
        self.compare(*SMALL, "--no-kv-unified")

    def test_weights_that_are_not_mapped(self):
        self.compare(*SMALL, "--load-mode", "none")

    def test_idle_slots_that_stay(self):
        self.compare(*SMALL, "--no-cache-idle-slots", "--cache-ram", "0")

    def test_a_draft_model(self):
        self.compare(*SMALL, "-md", MODEL, "--spec-draft-n-max", "3")

    def test_a_window(self):
        if not GEMMA.exists():
            self.skipTest(f"no {GEMMA}")
        long = [completion(TEXT * 40), completion(TEXT * 40 + "So"), completion("Salt is"),
                completion(TEXT * 20 + "Then")]

        def script(server):
            answers = []
            for request in long:
                answers.append(ask(server, request))
                give_back(server)
            return answers
        self.compare(*SMALL, script=script, model=str(GEMMA))

    def test_context_shift(self):
        """Generation that runs over the end of the context, twice."""
        def script(server):
            first = ask(server, completion(TEXT, 300, ignore_eos=True))
            give_back(server)
            return [first, ask(server, completion(TEXT + "So", 300, ignore_eos=True))]
        expected, _ = self.compare("-c", "256", "-np", "1", "--context-shift", script=script)
        self.assertEqual(expected[0][1]["tokens_predicted"], 300)

    def test_cache_reuse(self):
        """The middle of a prompt goes; what follows moves up."""
        parts = [f"Page {i}. " + TEXT * 3 for i in range(4)]

        def script(server):
            answers = [ask(server, completion("".join(parts)))]
            for kept in (parts[:1] + parts[2:], parts[:1] + parts[3:], parts):
                give_back(server)
                answers.append(ask(server, completion("".join(kept))))
            return answers
        self.compare("-c", "2048", "-np", "1", "--cache-reuse", "16", script=script)


class Sleep(unittest.TestCase):
    def test_wakes_as_stock_does(self):
        answers = {}
        for kind in ("stock", "governed"):
            with Server(kind, "-c", "2048", "-np", "2", "--sleep-idle-seconds", "1") as server:
                answers[kind] = []
                for _ in range(3):
                    mix = Mix(5)
                    answers[kind] += [ask(server, r) for r in take(mix.generation, 8)]
                    awake = server.memory("VmRSS")
                    self.assertTrue(wait_until(lambda: server.memory("VmRSS") < 0.7 * awake))
                    if kind == "governed":
                        self.assertEqual(server.get("/kvpsi/state")[0], 200)
                        self.assertEqual(server.request("POST", "/kvpsi/give-back")[0], 200)
                # Woken first: a stock server that was just falling asleep once missed SIGTERM.
                ask(server, completion("Up"))
                self.assertEqual(server.end(), 0, server.text())
        self.assertEqual(answers["governed"], answers["stock"])


def children(pid):
    """Processes that this one started, and theirs."""
    listed = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    own = [int(child) for task in listed for child in task.read_text().split()]
    return own + [deeper for child in own for deeper in children(child)]


class Router(unittest.TestCase):
    def test_children_are_governed(self):
        with tempfile.TemporaryDirectory() as models:
            for name in ("one", "two"):
                os.symlink(MODEL, f"{models}/{name}.gguf")
            flags = ("--models-dir", models, "-c", "1024", "-np", "1")
            said = {}
            for kind in ("stock", "governed"):
                with Server(kind, *flags, model=None) as server:
                    said[kind] = [ask(server, self.request(name)) for name in ("one", "two", "one")]
                    if kind == "governed":
                        self.check_children(server)
                    self.assertEqual(server.end(), 0, server.text())
            self.assertEqual(said["governed"], said["stock"])
            self.assertEqual({status for status, _ in said["stock"]}, {200})

    @staticmethod
    def request(name):
        method, path, body = completion("Salt is")
        return method, path, {**body, "model": name}

    def check_children(self, server):
        loaded = children(server.pid)
        self.assertEqual(len(loaded), 2)
        for pid in loaded:
            shown = subprocess.run([str(KVPSI), "status", "--pid", str(pid), "--json"],
                                   capture_output=True, text=True, timeout=20, check=True)
            status = json.loads(shown.stdout)
            self.assertEqual(status["command"], "serve")
            kinds = [pool["kind"] for pool in status["tick"]["pools"]]
            self.assertIn("kv", kinds)


if __name__ == "__main__":
    unittest.main()
