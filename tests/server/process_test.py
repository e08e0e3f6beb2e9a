#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The governed server as a process: its command line, its port, its signals, its end."""
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from server_process import KVPSI, MODEL, Server, free_port, run

SMALL = ("-c", "1024", "-np", "2")


class CommandLine(unittest.TestCase):
    def test_help_shows_ours_and_theirs(self):
        code, text = run("governed", "--help")
        self.assertEqual(code, 0)
        for word in ("--psi-require", "--kv-spill-dir", "--ctx-size", "--slot-save-path"):
            self.assertIn(word, text)

    def test_version_shows_both(self):
        code, text = run("governed", "--version")
        self.assertEqual(code, 0)
        self.assertRegex(text, r"(?m)^kvpsi \d+\.\d+\.\d+$")
        self.assertIn("version:", text)

    def test_an_unknown_word_of_ours_gets_a_suggestion(self):
        code, text = run("governed", "--psi-requier")
        self.assertEqual(code, 2)
        self.assertEqual(text, "kvpsi serve: unknown option '--psi-requier', did you mean "
                               "'--psi-require'?; `kvpsi serve --help` explains the options\n")

    def test_an_unknown_word_of_theirs_is_refused_as_they_do(self):
        self.assertEqual(run("governed", "--no-such-thing"), run("stock", "--no-such-thing"))

    def test_a_missing_model_ends_it(self):
        code, text = run("governed", "-m", "/nowhere.gguf", "--port", str(free_port()))
        self.assertEqual(code, run("stock", "-m", "/nowhere.gguf", "--port", str(free_port()))[0])
        self.assertIn("/nowhere.gguf", text)

    def test_a_wrong_path_of_ours_ends_it_before_the_model_is_loaded(self):
        code, text = run("governed", "-m", MODEL, "--kv-spill-dir", "/nowhere")
        self.assertEqual(code, 2, text)
        self.assertIn("/nowhere", text)
        self.assertNotIn("loading model", text)

    def test_a_taken_port_ends_it(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            code, text = run("governed", "-m", MODEL, "--port", port, *SMALL)
            self.assertEqual(code, run("stock", "-m", MODEL, "--port", port, *SMALL)[0], text)
            self.assertNotEqual(code, 0)
            self.assertIn("bind", text)


class Stream:
    """A completion that is being streamed."""

    def __init__(self, server, tokens):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        body = {"prompt": "Once", "n_predict": tokens, "stream": True, "ignore_eos": True}
        self.connection.request("POST", "/completion", json.dumps(body),
                                {"Content-Type": "application/json"})
        self.response = self.connection.getresponse()
        self.first = self.response.readline()

    def rest(self):
        try:
            return self.response.read()
        except (OSError, http.client.HTTPException) as error:
            return error
        finally:
            self.connection.close()


class Signals(unittest.TestCase):
    def test_sigterm_with_streams_open_ends_it_cleanly(self):
        with Server("governed", *SMALL) as server:
            streams = [Stream(server, 900) for _ in range(2)]
            readers = [threading.Thread(target=stream.rest) for stream in streams]
            for reader in readers:
                reader.start()
            begun = time.monotonic()
            self.assertEqual(server.end(), 0, server.text())
            self.assertLess(time.monotonic() - begun, 5)
            for reader in readers:
                reader.join(10)
                self.assertFalse(reader.is_alive())
            self.assertIn("given back", server.text())

    def test_sigint_while_loading_ends_it(self):
        words = [str(KVPSI), "serve", "-m", MODEL, "--port", str(free_port()), "-c", "32768"]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            time.sleep(0.15)
            process.send_signal(signal.SIGINT)
            self.assertNotEqual(process.wait(20), None)

    def test_a_client_that_hangs_up_leaves_the_server_well(self):
        with Server("governed", *SMALL) as server:
            stream = Stream(server, 900)
            stream.response.close()
            stream.connection.close()
            status, answer = server.post("/completion", {"prompt": "Hi", "n_predict": 4})
            self.assertEqual(status, 200)
            self.assertEqual(answer["tokens_predicted"], 4)

    def test_user_signals_reach_the_governor(self):
        with Server("governed", *SMALL) as server:
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR2, signal.SIGUSR1):
                os.kill(server.pid, number)
                time.sleep(0.05)
            self.assertEqual(server.post("/completion", {"prompt": "Hi", "n_predict": 2})[0], 200)
            self.assertEqual(server.end(), 0)


class Status(unittest.TestCase):
    def test_kvpsi_status_shows_it(self):
        with Server("governed", *SMALL) as server:
            server.post("/completion", {"prompt": "Hi", "n_predict": 2})
            shown = subprocess.run([str(KVPSI), "status", "--pid", str(server.pid), "--json"],
                                   capture_output=True, text=True, timeout=20, check=True)
            status = json.loads(shown.stdout)
            self.assertEqual(status["command"], "serve")
            self.assertEqual(status["model"], MODEL)
            kinds = [pool["kind"] for pool in status["tick"]["pools"]]
            self.assertEqual(kinds, ["kv", "scratch", "heap", "prompt_cache"])

    def test_the_journal_is_written(self):
        path = f"/tmp/kvpsi-serve-{os.getpid()}.jsonl"
        try:
            with Server("governed", *SMALL, "--psi-journal", path) as server:
                server.post("/completion", {"prompt": "Hi", "n_predict": 2})
                self.assertEqual(server.end(), 0)
            with open(path, encoding="utf-8") as journal:
                lines = [json.loads(line) for line in journal]
            self.assertGreater(len(lines), 1)
        finally:
            os.unlink(path)


if __name__ == "__main__":
    unittest.main()
