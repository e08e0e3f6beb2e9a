#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The governed server as a user of the `openai` Python client sees it: chat, streams, tools, many
at once, a stream that is left in the middle, errors as the client's own exceptions.

The client is installed once from PyPI into a folder of its own below the cache (KVPSI_CACHE);
where that cannot be done the test is skipped with the reason.
"""
import concurrent.futures
import importlib
import os
import pathlib
import subprocess
import sys
import unittest

from server_process import Server, wait_until

VERSION = "3.57.0"
PACKAGES = pathlib.Path(
    os.environ.get("KVPSI_CACHE")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "kvpsi",
    f"python-openai-{VERSION}")
FLAGS = ("-c", "4096", "-np", "2", "--jinja")
TOOL = {"type": "function",
        "function": {"name": "read_gauge", "description": "Reads the level of a river.",
                     "parameters": {"type": "object",
                                    "properties": {"river": {"type": "string"}},
                                    "required": ["river"]}}}


def load_client():
    """The package, installed where it is missing: whole, or not at all."""
    if not PACKAGES.exists():
        half = PACKAGES.with_name(f"{PACKAGES.name}.{os.getpid()}")
        done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-input",
                               "--disable-pip-version-check", "--target", str(half),
                               f"openai=={VERSION}"],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            subprocess.run(["rm", "-rf", str(half)], check=True)
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise unittest.SkipTest(f"the openai client cannot be installed: {reason}")
        half.rename(PACKAGES)
    sys.path.insert(0, str(PACKAGES))
    return importlib.import_module("openai")


def says(text):
    return [{"role": "user", "content": text}]


class OpenAi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.openai = load_client()
        cls.server = Server("governed", *FLAGS, key="secret")
        cls.addClassCleanup(cls.server.end)
        cls.client = cls.connect("secret", cls.server)

    @classmethod
    def connect(cls, key, server):
        return cls.openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key=key,
                                 timeout=60, max_retries=0)

    def chat(self, text, **more):
        return self.client.chat.completions.create(
            model="any", messages=says(text), max_tokens=12, temperature=0, **more)

    def test_chat_and_its_stream_say_the_same(self):
        whole = self.chat("Name a river.").choices[0].message.content
        stream = self.chat("Name a river.", stream=True)
        parts = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
        self.assertTrue(whole)
        self.assertEqual("".join(parts), whole)

    def test_lists_its_model(self):
        self.assertEqual(len(self.client.models.list().data), 1)

    def test_offers_tools_as_a_stock_server_does(self):
        """What a model this small makes of them is its own affair."""
        def choose(client):
            answer = client.chat.completions.create(
                model="any", messages=says("How high is the Severn?"), tools=[TOOL],
                temperature=0, max_tokens=40)
            choice = answer.choices[0]
            calls = [call.function for call in choice.message.tool_calls or []]
            return choice.finish_reason, choice.message.content, calls
        with Server("stock", *FLAGS, key="secret") as stock:
            expected = choose(self.connect("secret", stock))
        self.assertEqual(choose(self.client), expected)

    def test_serves_more_at_once_than_it_has_slots(self):
        with concurrent.futures.ThreadPoolExecutor(6) as users:
            answers = list(users.map(lambda i: self.chat(f"Count to {i}."), range(6)))
        self.assertEqual([a.usage.completion_tokens > 0 for a in answers], [True] * 6)

    def test_a_stream_that_is_left_frees_its_slot(self):
        stream = self.client.chat.completions.create(
            model="any", messages=says("Tell a long story."), max_tokens=2000, temperature=0,
            stream=True, extra_body={"ignore_eos": True})
        for _ in zip(range(3), stream):
            pass
        stream.close()
        self.assertTrue(wait_until(lambda: self.server.busy_slots() == 0),
                        "the slot goes on for nobody")
        self.assertTrue(self.chat("Still there?").choices[0].message.content)

    def test_errors_are_the_clients_own(self):
        with self.assertRaises(self.openai.AuthenticationError):
            self.connect("wrong", self.server).chat.completions.create(
                model="any", messages=says("Hello"))
        with self.assertRaises(self.openai.BadRequestError):
            self.chat("word " * 6000)


if __name__ == "__main__":
    unittest.main()
