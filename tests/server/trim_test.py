#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Context taken out of running conversations and put back: who allows it, who is told, and that
whatever llama-server does with a trimmed conversation ends as on a stock server.

A cap on live KV memory (--kv-max) that a long prompt exceeds makes every one of them be trimmed,
without any pressure. A prompt is evaluated at one go unless -b is small, so its own rows are those
of a stock server; what is generated after the trim is not. Rows come back bit for bit but to other
cells, and sums in another order differ in their last bits: hence what is compared is how probable
the next tokens are, for a question whose answer stands among the tokens that were taken out.
"""
import concurrent.futures
import http.client
import json
import math
import pathlib
import re
import tempfile
import unittest

from server_process import MODEL, Server, events_of

TOKENS = 100  # long enough for the governor to come by
TEXT = "".join(f"In the year {year} boat {year * 7 % 93} passed the lock with salt for the north. "
               for year in range(1800, 1832))  # some 650 tokens
HEAD = TEXT[:len(TEXT) // 2]  # a prefix of it that ends where tokens are taken out
QUESTION = "In the year 1808 boat "
SMALL = ("--kv-spill-flash", "--kv-trim-keep", "16", "--kv-trim-tail", "64", "--kv-trim-min", "16")
CAPPED = ("-c", "4096", *SMALL, "--kv-max", "5MiB")
TOLERANCE = 0.08  # of a probability
FORBID = {"kvpsi": {"trim": False}}


def completion(prompt, tokens=TOKENS, **more):
    return {"prompt": prompt, "n_predict": tokens, "temperature": 0, "ignore_eos": True, **more}


def ask(server, path, body):
    """Status, headers and text."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        connection.request("POST", path, json.dumps(body), server.headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


def is_marked(headers):
    return headers.get("X-KVPSI-Context") == "reduced"


def probabilities(answer):
    """Of the first token, by token."""
    first = answer["completion_probabilities"][0]["top_logprobs"]
    return {choice["token"]: math.exp(choice["logprob"]) for choice in first}


class Server200(unittest.TestCase):
    """Requests that are answered."""

    def complete(self, server, prompt, tokens=TOKENS, **more):
        """Headers and document."""
        status, headers, text = ask(server, "/completion", completion(prompt, tokens, **more))
        self.assertEqual(status, 200, text)
        return headers, json.loads(text)

    def reduced(self, server, prompt=TEXT, **more):
        """The answer to a request that had to be trimmed."""
        headers, answer = self.complete(server, prompt, **more)
        self.assertTrue(is_marked(headers), headers)
        self.assertGreater(answer["kvpsi"]["tokens_trimmed"], 200)
        return answer

    def whole(self, server, prompt, tokens=4):
        """What one that was not made so holds probable, and how many tokens it had cached."""
        headers, answer = self.complete(server, prompt, tokens, n_probs=5, **FORBID)
        self.assertFalse(is_marked(headers), headers)
        self.assertNotIn("kvpsi", answer)
        return answer["timings"]["cache_n"], probabilities(answer)


class Told(Server200):
    """Every kind of response says it, and only those that were made so."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("governed", *CAPPED, "-np", "1", "--cache-ram", "0")

    @classmethod
    def tearDownClass(cls):
        cls.server.end()
        cls.server.log.close()

    def number_of_reduced(self):
        return json.loads(self.server.get("/kvpsi/state")[1])["admission"]["reduced_total"]

    def test_a_completion(self):
        before = self.number_of_reduced()
        answer = self.reduced(self.server)
        self.assertEqual(answer["tokens_predicted"], TOKENS)
        self.assertEqual(answer["kvpsi"]["context"], "reduced")
        self.assertEqual(self.number_of_reduced(), before + 1)
        self.assertIn(f"kvpsi_reduced_total {before + 1}", self.server.get("/kvpsi/metrics")[1])

    def test_several_prompts_in_one(self):
        for prompts in ([TEXT, "Salt is"], ["Salt is", TEXT]):
            body = {"prompt": prompts, "max_tokens": TOKENS, "temperature": 0, "ignore_eos": True}
            status, headers, text = ask(self.server, "/v1/completions", body)
            self.assertEqual(status, 200, text)
            self.assertTrue(is_marked(headers))
            document = json.loads(text)
            self.assertGreater(document["kvpsi"]["tokens_trimmed"], 200)
            self.assertEqual(len(document["choices"]), 2)

    def test_a_short_one_is_as_the_stock_server_writes_it(self):
        body = completion("Salt is", 8)
        with Server("stock", "-c", "4096", "-np", "1", "--cache-ram", "0") as stock:
            texts = [ask(server, "/completion", body)[2] for server in (stock, self.server)]
        volatile = re.compile(r'"timings":\{[^}]*\}|"id_slot":\d+|"prompt_ms":[^,]*')
        self.assertEqual(*[volatile.sub("", text) for text in texts])

    def test_each_form(self):
        message = [{"role": "user", "content": TEXT}]
        forms = {
            "/v1/completions": {"prompt": TEXT, "max_tokens": TOKENS},
            "/v1/chat/completions": {"messages": message, "max_tokens": TOKENS},
            "/v1/messages": {"messages": message, "max_tokens": TOKENS},
            "/v1/responses": {"input": TEXT, "max_output_tokens": TOKENS},
            "/infill": {"input_prefix": TEXT, "input_suffix": "", "n_predict": TOKENS},
        }
        for path, body in forms.items():
            with self.subTest(path=path):
                status, headers, text = ask(self.server, path,
                                            {**body, "temperature": 0, "ignore_eos": True})
                if path == "/infill" and status == 501:
                    continue  # not this model
                self.assertEqual(status, 200, text)
                self.assertTrue(is_marked(headers))
                self.assertGreater(json.loads(text)["kvpsi"]["tokens_trimmed"], 200)

    def test_a_stream_says_it_at_its_end(self):
        message = [{"role": "user", "content": TEXT}]
        forms = {
            "/completion": completion(TEXT),
            "/v1/chat/completions": {"messages": message, "max_tokens": TOKENS,
                                     "stream_options": {"include_usage": True}},
            "/v1/messages": {"messages": message, "max_tokens": TOKENS},
            "/v1/responses": {"input": TEXT, "max_output_tokens": TOKENS},
        }
        for path, body in forms.items():
            with self.subTest(path=path):
                more = {"stream": True, "temperature": 0, "ignore_eos": True}
                status, _, text = ask(self.server, path, {**body, **more})
                self.assertEqual(status, 200, text)
                events = [event.get("response", event) for event in events_of(text)]
                self.assertGreater(events[-1]["kvpsi"]["tokens_trimmed"], 200)
                self.assertFalse([event for event in events[:-1] if "kvpsi" in event])

    def test_a_request_forbids_it(self):
        cached, _ = self.whole(self.server, "Before. " + TEXT, TOKENS)
        self.assertLess(cached, 200)

    def test_what_is_wrong_is_refused(self):
        for member in (1, [], {"trim": 1}, {"trim": None}, {"priority": 1.5}, {"priority": 101},
                       {"priority": "high"}, {"colour": "red"}):
            with self.subTest(member=member):
                status, _, text = ask(self.server, "/completion",
                                      completion("Salt", 1, kvpsi=member))
                self.assertEqual(status, 400)
                error = json.loads(text)["error"]
                self.assertEqual(error["type"], "invalid_request_error")
                self.assertIn('"kvpsi"', error["message"])
        self.assertEqual(ask(self.server, "/completion", completion("kvpsi", 1))[0], 200)


class Off(Server200):
    def test_nothing_is_taken_where_it_is_off(self):
        with Server("governed", *CAPPED, "-np", "1", "--kv-trim", "off") as server:
            headers, answer = self.complete(server, TEXT)
            self.assertFalse(is_marked(headers))
            self.assertNotIn("kvpsi", answer)
            self.assertEqual(server.end(), 0, server.text())


class Priority(Server200):
    def test_the_lowest_is_trimmed_first(self):
        """Two at once, and the cap needs the middle of one of them alone."""
        flags = ("-c", "4096", "-np", "2", *SMALL, "--kv-max", "23MiB", "--cache-ram", "0")

        def ask_with(server, number, priority):
            return self.complete(server, f"Book {number}. " + TEXT, kvpsi={"priority": priority})[1]

        for priorities in ((-5, 5), (5, -5)):
            with self.subTest(priorities=priorities), Server("governed", *flags) as server, \
                    concurrent.futures.ThreadPoolExecutor(2) as clients:
                answers = list(clients.map(lambda i: ask_with(server, i, priorities[i]), range(2)))
                reduced = [priority for priority, answer in zip(priorities, answers)
                           if "kvpsi" in answer]
                self.assertEqual(reduced, [-5])


class AsOnAStockServer(Server200):
    """What llama-server does with a conversation whose middle is on disk, or gone."""

    def compare(self, script, *flags, cap="5MiB", ours=()):
        """The script's results on a stock server, and on a governed one that trims."""
        self.is_stock = True
        with Server("stock", "-c", "4096", *flags) as server:
            expected = script(server)
        self.is_stock = False
        with Server("governed", "-c", "4096", *SMALL, "--kv-max", cap, *flags, *ours) as server:
            got = script(server)
            self.assertEqual(server.end(), 0, server.text())
        self.assertEqual([count for count, _ in got], [count for count, _ in expected])
        for (_, ours), (_, theirs) in zip(got, expected):
            print(f"{self.id().rsplit('.', 1)[1]}: {ours} against {theirs}")
            for token, probability in theirs.items():
                self.assertAlmostEqual(ours.get(token, 0), probability, delta=TOLERANCE)

    def trim(self, server, prompt=TEXT, **more):
        """A request that is trimmed, if this server does so."""
        if self.is_stock:
            self.complete(server, prompt, **more)
        else:
            self.reduced(server, prompt, **more)

    def test_a_prefix_ends_in_the_gap(self):
        def script(server):
            self.trim(server)
            return [self.whole(server, HEAD + QUESTION), self.whole(server, TEXT + QUESTION)]
        self.compare(script, "-np", "1", "--cache-ram", "0")

    def test_a_prefix_ends_among_tokens_that_are_gone(self):
        """Nobody else's answer suffers, and this one is evaluated anew."""
        def script(server):
            self.trim(server)
            with concurrent.futures.ThreadPoolExecutor(1) as other:
                beside = other.submit(self.whole, server, "Salt is", 60)
                again = ask(server, "/completion", completion(HEAD + QUESTION, 4, n_probs=5))
                self.assertEqual(again[0], 200, again)
                return [(0, probabilities(json.loads(again[2]))), beside.result(),
                        self.whole(server, TEXT + QUESTION)]
        self.compare(script, "-np", "2", "--cache-ram", "0",
                     ours=("--kv-trim", "eager", "--kv-spill-dir", "off"))

    def test_what_was_evaluated_without_the_middle_is_evaluated_anew(self):
        """The prompt itself is trimmed, since it takes several batches."""
        def script(server):
            self.trim(server)
            return [self.whole(server, TEXT + QUESTION)]
        self.compare(script, "-np", "1", "--cache-ram", "0", "-b", "64")

    def test_the_next_turn_forbids_it(self):
        def script(server):
            self.trim(server)
            return [self.whole(server, TEXT + QUESTION)]
        self.compare(script, "-np", "1", "--cache-ram", "0")

    def test_it_goes_to_the_prompt_cache_and_comes_back(self):
        def script(server):
            self.trim(server)
            return [self.whole(server, "Something else."), self.whole(server, TEXT + QUESTION)]
        self.compare(script, "-np", "1")

    def test_it_is_saved_and_restored(self):
        with tempfile.TemporaryDirectory() as folder:
            def script(server):
                self.trim(server)
                file = {"filename": f"{server.kind}.bin"}
                saved = server.post("/slots/0?action=save", file)[1]["n_saved"]
                server.post("/slots/0?action=erase", {})
                loaded = server.post("/slots/0?action=restore", file)[1]["n_restored"]
                return [(saved, {}), (loaded, {}), self.whole(server, TEXT + QUESTION)]
            self.compare(script, "-np", "1", "--cache-ram", "0", "--slot-save-path", folder)

    def test_it_is_saved_and_restored_by_the_next_server(self):
        """What was evaluated without the middle is known as that, and evaluated anew there."""
        with tempfile.TemporaryDirectory() as folder:
            flags = ("-np", "1", "-b", "64", "--cache-ram", "0", "--slot-save-path", folder)

            def script(server):
                self.trim(server)
                file = {"filename": f"{server.kind}.bin"}
                saved = server.post("/slots/0?action=save", file)[1]["n_saved"]
                content = pathlib.Path(folder, file["filename"]).read_bytes()
                self.assertEqual(b"KVPSInt1" in content[-32:], not self.is_stock)
                server.end()
                with Server(server.kind, "-c", "4096", *flags) as after:
                    loaded = after.post("/slots/0?action=restore", file)[1]["n_restored"]
                    return [(saved, {}), (loaded, {}), self.whole(after, TEXT + QUESTION)]
            self.compare(script, *flags)

    def test_it_is_copied_for_several_answers(self):
        def script(server):
            self.trim(server)
            body = completion(TEXT + QUESTION, 4, n_cmpl=2, n_probs=5, **FORBID)
            return [(0, probabilities(answer)) for answer in server.post("/completion", body)[1]]
        self.compare(script, "-np", "2", "--cache-ram", "0")

    def test_several_answers_are_trimmed(self):
        def script(server):
            status, headers, text = ask(server, "/completion", completion(TEXT, n_cmpl=2))
            self.assertEqual(status, 200)
            self.assertEqual(is_marked(headers), not self.is_stock)
            return [(answer["tokens_predicted"], {}) for answer in json.loads(text)]
        self.compare(script, "-np", "2", "--cache-ram", "0")

    def test_its_context_is_shifted(self):
        def script(server):
            self.trim(server, tokens=400)
            return [self.whole(server, HEAD + QUESTION)]
        self.compare(script, "-np", "1", "--cache-ram", "0", "--context-shift", "-c", "768")

    def test_a_draft_speaks_for_it(self):
        def script(server):
            self.trim(server)
            return [self.whole(server, TEXT + QUESTION)]
        self.compare(script, "-np", "1", "--cache-ram", "0", "-md", MODEL,
                     "--spec-draft-n-max", "3")

    def test_streams_of_their_own(self):
        def script(server):
            self.trim(server)
            return [self.whole(server, HEAD + QUESTION), self.whole(server, TEXT + QUESTION)]
        self.compare(script, "-np", "2", "--no-kv-unified", "--cache-ram", "0")

    def test_q8_0(self):
        def script(server):
            self.trim(server)
            return [self.whole(server, HEAD + QUESTION), self.whole(server, TEXT + QUESTION)]
        self.compare(script, "-np", "1", "--cache-ram", "0", "-ctk", "q8_0", "-ctv", "q8_0",
                     cap="3MiB")


if __name__ == "__main__":
    unittest.main()
