#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the governed server holds: memory follows tokens, not -c, at the start, at wake, at rest."""
import time
import unittest

from server_process import Server, run, wait_until

MIB_OF_DIFFERENCE = 6
PROMPT = "The lock keeper writes down every boat that passes, its cargo and its owner. " * 30


def completion(server, prompt, **more):
    status, answer = server.post("/completion", {"prompt": prompt, "n_predict": 8,
                                                 "temperature": 0, **more})
    assert status == 200, answer
    return answer


def says(server, text):
    """It answers to /health a moment before it has said what it found."""
    return wait_until(lambda: text in server.text(), 5)


class Memory(unittest.TestCase):
    def test_does_not_follow_the_context_size(self):
        """Peak and resident memory after start, -c 32768 minus -c 512."""
        seen = {}
        for context in ("512", "32768"):
            with Server("governed", "-c", context) as server:
                seen[context] = server.memory("VmHWM"), server.memory("VmRSS")
        for what, small, large in zip(("peak", "resident"), seen["512"], seen["32768"]):
            print(f"{what}: -c 512 {small:.1f} MiB, -c 32768 {large:.1f} MiB")
            self.assertLessEqual(large - small, MIB_OF_DIFFERENCE, what)

    def test_does_not_follow_it_at_wake_either(self):
        with Server("governed", "-c", "32768", "--sleep-idle-seconds", "1") as server:
            awake = server.memory("VmRSS")
            self.assertTrue(wait_until(lambda: server.memory("VmRSS") < awake / 2, 10), "no sleep")
            answer = completion(server, "Once upon a time")
            self.assertEqual(len(answer["content"]) > 0, True)
            self.assertLess(server.memory("VmHWM"), awake + 2 * MIB_OF_DIFFERENCE)
            self.assertNotIn("FAILED", server.text())

    def test_a_second_answer_takes_what_its_prompt_takes(self):
        """llama.cpp copies the prompt to another stream as a whole, here 180 MiB."""
        flags = ("-c", "16384", "-np", "2", "--no-kv-unified", "--cache-ram", "0")
        said = {}
        for kind in ("stock", "governed"):
            with Server(kind, *flags) as server:
                completion(server, "Once")
                before = server.memory("VmHWM")
                said[kind] = completion(server, "Once upon a time", n_cmpl=2)
                more = server.memory("VmHWM") - before
                print(f"{kind}: two answers take {more:.1f} MiB")
        self.assertEqual(said["governed"], said["stock"])
        self.assertLess(more, MIB_OF_DIFFERENCE)

    def test_stock_is_what_it_is_with_the_governor_off(self):
        with Server("governed", "-c", "32768", "--psi-governor", "off") as server:
            self.assertGreater(server.memory("VmHWM"), 700)

    def test_idle_conversations_go_to_disk_and_come_back(self):
        """Above --kv-max; the next turn reads them back instead of computing them anew."""
        flags = ("-c", "8192", "-np", "2", "--no-cache-idle-slots", "--cache-ram", "0")
        with Server("stock", *flags) as stock:
            completion(stock, PROMPT, id_slot=0)
            expected = completion(stock, PROMPT + "So", id_slot=0)
        with Server("governed", *flags, "--kv-max", "2MiB") as server:
            completion(server, PROMPT, id_slot=0)
            full = server.memory("RssAnon")
            self.assertTrue(wait_until(lambda: server.memory("RssAnon") < full - 5, 15),
                            f"{full:.1f} MiB anonymous, and nothing left")
            got = completion(server, PROMPT + "So", id_slot=0)
            self.assertEqual(got["content"], expected["content"])
            self.assertEqual(got["tokens_cached"], expected["tokens_cached"])
            self.assertEqual(server.end(), 0)
            self.assertIn("written to disk", server.text())

    def test_conversations_that_rest_go_to_disk_without_pressure(self):
        flags = ("-c", "8192", "-np", "2", "--cache-ram", "0")
        with Server("stock", *flags) as stock:
            completion(stock, PROMPT)
            expected = completion(stock, PROMPT + "So")
        with Server("governed", *flags, "--kv-idle-spill", "2s") as server:
            completion(server, PROMPT)
            full = server.memory("RssAnon")
            self.assertTrue(wait_until(lambda: server.memory("RssAnon") < full - 5, 15),
                            f"{full:.1f} MiB anonymous, and nothing left")
            got = completion(server, PROMPT + "So")
            self.assertEqual(got["content"], expected["content"])
            self.assertEqual(got["tokens_cached"], expected["tokens_cached"])


class Require(unittest.TestCase):
    def test_serves_where_everything_can_be_governed(self):
        with Server("governed", "-c", "512", "--psi-require") as server:
            self.assertTrue(says(server, "self-check: "))
            self.assertNotIn("not governed", server.text())

    def test_exits_where_something_cannot(self):
        from server_process import MODEL, free_port
        code, text = run("governed", "-m", MODEL, "-c", "512", "-fa", "off", "--psi-require",
                         "--port", str(free_port()))
        self.assertEqual(code, 1, text)
        self.assertIn("not governed: V cache is transposed", text)
        self.assertIn("--psi-require is not met", text)

    def test_says_what_is_not_governed_and_serves_otherwise(self):
        with Server("governed", "-c", "512", "-fa", "off") as server:
            self.assertTrue(says(server, "not governed: V cache is transposed"))


if __name__ == "__main__":
    unittest.main()
