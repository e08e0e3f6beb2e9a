#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The prompt cache: saved conversations lie on disk, not in the heap, and are hit as before."""
import json
import time
import unittest

from server_process import Server, wait_until

NOUNS = ("river", "harbour", "mill", "quarry", "bridge")
FLAGS = ("-c", "4096", "-np", "1")


def prompt(i):
    """Some 300 tokens, 6 MiB of KV, of which no two share more than the beginning."""
    return f"The {NOUNS[i]} book, page one. " + f"A {NOUNS[i]} has its own keeper and rules. " * 30


def visit_all(server):
    """Each conversation once: with one slot, every other one is saved to the cache."""
    return [complete(server, prompt(i))["content"] for i in range(len(NOUNS))]


def come_back(server):
    """Next turns: what they say, and how many tokens each took from the cache."""
    answers = [complete(server, prompt(i) + "So") for i in range(len(NOUNS) - 1)]
    return [a["content"] for a in answers], [a["tokens_cached_before"] for a in answers]


def complete(server, text):
    body = {"prompt": text, "n_predict": 8, "temperature": 0}
    status, answer = server.request("POST", "/completion", body)
    assert status == 200, answer
    answer = json.loads(answer)
    answer["tokens_cached_before"] = answer["timings"]["cache_n"]
    return answer


def cache_view(server):
    return server.pools()["prompt_cache"]


def is_on_disk(server):
    view = cache_view(server)
    return view["parked_bytes"] > 0.99 * view["reserved_bytes"] > 0


class PromptCache(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with Server("stock", *FLAGS) as stock:
            cls.expected = visit_all(stock), come_back(stock)

    def check_turns(self, server):
        said, cached = come_back(server)
        self.assertEqual(said, self.expected[1][0])
        self.assertEqual(cached, self.expected[1][1], "hits as in a stock server")

    def test_goes_to_disk_by_itself_and_is_hit_as_before(self):
        with Server("governed", *FLAGS) as server:
            self.assertEqual(visit_all(server), self.expected[0])
            self.assertTrue(wait_until(lambda: is_on_disk(server), 15), cache_view(server))
            self.check_turns(server)

    def test_goes_when_asked_for(self):
        with Server("governed", *FLAGS, "--kv-idle-spill", "off") as server:
            visit_all(server)
            time.sleep(6)
            self.assertEqual(cache_view(server)["parked_bytes"], 0)
            full = server.memory("RssAnon")
            self.assertEqual(server.request("POST", "/kvpsi/give-back")[0], 200)
            self.assertTrue(wait_until(lambda: is_on_disk(server), 15), cache_view(server))
            returned = full - server.memory("RssAnon")
            parked = cache_view(server)["parked_bytes"] / 2**20
            print(f"prompt cache: {parked:.1f} MiB on disk, {returned:.1f} MiB returned in all")
            self.assertGreater(returned, 0.95 * parked)
            self.check_turns(server)

    def test_without_a_spill_file_it_stays_in_memory(self):
        with Server("governed", *FLAGS, "--kv-spill-dir", "off") as server:
            visit_all(server)
            time.sleep(6)
            self.assertEqual(cache_view(server)["parked_bytes"], 0)
            self.check_turns(server)

    def test_without_a_spill_file_it_is_dropped_when_asked_for(self):
        with Server("governed", *FLAGS, "--kv-spill-dir", "off") as server:
            visit_all(server)
            server.request("POST", "/kvpsi/give-back")
            self.assertTrue(wait_until(lambda: cache_view(server)["reserved_bytes"] == 0, 15))
            said, cached = come_back(server)
            self.assertEqual(said, self.expected[1][0], "computed again, it says the same")
            self.assertLess(sum(cached), sum(self.expected[1][1]))

    def test_a_time_that_is_none_is_said_to_be(self):
        with self.assertRaises(RuntimeError) as refused:
            Server("governed", "--kv-idle-spill", "soon")
        self.assertIn("such as 60s, or off", str(refused.exception))


if __name__ == "__main__":
    unittest.main()
