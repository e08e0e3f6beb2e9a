#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients, signals and deaths as nobody wishes for: the governed server stays well, and answers
wrong requests as a stock one does."""
import collections
import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import tempfile
import threading
import time
import unittest

from server_process import MODEL, Server, normalise, run, wait_until

SMALL = ("-c", "1024", "-np", "2")
LONG = {"prompt": "Once", "n_predict": 400, "ignore_eos": True, "temperature": 0}


def head(path, length):
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n").encode()


def send_raw(server, data):
    """A connection on which this was sent."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.sendall(data)
    return connection


def status_of(connection):
    return int(connection.recv(64).split()[1])


def say_raw(server, path, body):
    """Status and what is said to a body that need not be JSON."""
    with send_raw(server, head(path, len(body)) + body) as connection:
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read().decode()


class Case(unittest.TestCase):
    def check_well(self, server):
        """It answers, no slot is stuck, no request counted that has ended, and it ends cleanly."""
        self.assertTrue(wait_until(lambda: server.busy_slots() == 0), "a slot is stuck")
        status, answer = server.post("/completion", {"prompt": "Hi", "n_predict": 3})
        self.assertEqual(status, 200)
        self.assertEqual(answer["tokens_predicted"], 3)
        self.assertTrue(wait_until(lambda: "\nkvpsi_requests_running 0\n"
                                   in server.get("/kvpsi/metrics")[1]), "a request is counted on")
        self.assertEqual(server.end(), 0, server.text())


class HangUps(Case):
    def test_at_every_moment(self):
        """Before the request, in its head, in its body, in the prompt, in a stream, at its end."""
        body = json.dumps({**LONG, "stream": True, "n_predict": 60}).encode()
        whole = head("/completion", len(body)) + body
        chance = random.Random(1)
        with Server("governed", *SMALL) as server:
            for _ in range(60):
                cut = chance.choice([0, chance.randrange(len(whole)), len(whole)])
                connection = send_raw(server, whole[:cut])
                if cut == len(whole):
                    until = chance.choice([0, 1, 400, 4000])
                    while until > 0 and (got := connection.recv(min(until, 1024))):
                        until -= len(got)
                connection.close()
            self.check_well(server)

    def test_of_clients_that_do_not_stream(self):
        """A stock server too generates to the end for them; then the slots are free."""
        body = json.dumps({**LONG, "n_predict": 20}).encode()
        with Server("governed", *SMALL) as server:
            for wait_s in (0, 0.02, 0.1, 0.3) * 3:
                connection = send_raw(server, head("/completion", len(body)) + body)
                time.sleep(wait_s)
                connection.close()
            self.check_well(server)

    def test_a_few_halves_of_requests_hold_nobody_up(self):
        """Each holds a thread of the HTTP pool; once they hold all six, a stock server too now and
        then answers nobody."""
        with Server("governed", *SMALL) as server:
            halves = [send_raw(server, head("/completion", 500) + b'{"prompt"') for _ in range(2)]
            halves += [send_raw(server, b"POST /completion HT") for _ in range(2)]
            begun = time.monotonic()
            self.assertEqual(server.post("/completion", {"prompt": "Hi", "n_predict": 2})[0], 200)
            self.assertLess(time.monotonic() - begun, 10)
            for half in halves:
                half.close()
            self.check_well(server)


class Wrong(Case):
    BODIES = [
        b"", b"{", b"[]", b"null", b'"prompt"', b"\xff\xfe\x00", b'{"prompt": "\xc3\x28"}',
        b"[" * 3000, b'{"prompt": 7, "n_predict": 2}', b'{"prompt": {}, "n_predict": 2}',
        b'{"prompt": "a", "n_predict": "many"}', b'{"prompt": "a", "n_predict": 2, "id_slot": 99}',
        b'{"prompt": [99999999], "n_predict": 2}', b'{"prompt": [-1], "n_predict": 2}',
        b'{"prompt": "a", "n_predict": 2, "grammar": "root ::= ("}',
        b'{"prompt": "a", "stream": "yes", "n_predict": 2}', b'{"prompt": [], "n_predict": 2}',
        b'{"prompt": "a", "n_predict": 2, "stop": 5, "temperature": 0}',
    ]

    def test_bodies_are_refused_as_stock_refuses_them(self):
        answers = {}
        for kind in ("stock", "governed"):
            with Server(kind, *SMALL) as server:
                answers[kind] = [(path, body, *say_raw(server, path, body))
                                 for path in ("/completion", "/v1/chat/completions")
                                 for body in self.BODIES]
                answers[kind].append(server.post("/completion", {"prompt": "word " * 3000}))
                if kind == "governed":
                    self.check_well(server)
        for ours, theirs in zip(answers["governed"], answers["stock"]):
            with self.subTest(request=theirs[:2]):
                if len(ours) == 4 and ours[2] == theirs[2] == 200:
                    ours, theirs = (normalise(json.loads(a[3])) for a in (ours, theirs))
                self.assertEqual(ours, theirs)
        self.assertEqual(answers["governed"][-1][0], 400, "a prompt beyond the context")

    def test_a_body_of_10_mb(self):
        with Server("governed", *SMALL) as server:
            body = json.dumps({"prompt": "Hi", "n_predict": 2, "padding": "x" * 10_000_000})
            self.assertEqual(say_raw(server, "/completion", body.encode())[0], 200)
            status, _ = server.post("/completion", {"prompt": "word " * 2_000_000})
            self.assertEqual(status, 400)
            self.check_well(server)

    def test_a_saved_slot_that_was_cut(self):
        """A stock server reads over the end of the file and aborts."""
        with tempfile.TemporaryDirectory() as saved, \
                Server("governed", *SMALL, "--slot-save-path", saved) as server:
            server.post("/completion", {"prompt": "Once " * 100, "n_predict": 1, "id_slot": 0})
            self.assertEqual(server.post("/slots/0?action=save", {"filename": "a"})[0], 200)
            file = pathlib.Path(saved) / "a"
            for size in (file.stat().st_size - 1, 100_000, 500, 0):
                os.truncate(file, size)
                status, answer = server.post("/slots/0?action=restore", {"filename": "a"})
                self.assertEqual(status, 400, answer)
                self.assertIn("invalid slot save file", answer["error"]["message"])
            self.check_well(server)

    def test_flags_and_ports(self):
        """What keeps a server from starting ends it at once, with a word about it."""
        code, text = run("governed", "-m", MODEL, "--psi-governor", "perhaps")
        self.assertEqual((code, "perhaps" in text), (2, True), text)
        code, text = run("governed", "-m", MODEL, "--kv-max", "9XB")
        self.assertEqual((code, "9XB" in text), (2, True), text)
        with Server("governed", *SMALL) as server:
            code, text = run("governed", "-m", MODEL, "--port", str(server.port), *SMALL)
            self.assertEqual((code, "bind" in text), (1, True), text)
            self.check_well(server)


class Crowd(Case):
    def test_each_of_many_clients_gets_an_answer(self):
        with Server("governed", *SMALL) as server:
            with concurrent.futures.ThreadPoolExecutor(100) as clients:
                statuses = collections.Counter(clients.map(
                    lambda i: server.request("POST", "/completion",
                                             {"prompt": f"{i} is", "n_predict": 2})[0],
                    range(200)))
            self.assertEqual(set(statuses), {200}, statuses)
            self.check_well(server)


def stream_all(server, count):
    """That many clients that read their streams to the end; joined by the caller."""
    def read():
        try:
            server.request("POST", "/completion", {**LONG, "stream": True}, timeout=60)
        except (OSError, http.client.HTTPException):
            pass  # the server ended
    readers = [threading.Thread(target=read) for _ in range(count)]
    for reader in readers:
        reader.start()
    wait_until(lambda: server.busy_slots() == 2)
    return readers


class Ends(Case):
    def test_sigterm_under_load(self):
        """Streams, requests that wait for a slot, halves of requests, and one that looks on."""
        with Server("governed", *SMALL) as server:
            readers = stream_all(server, 8)
            half = send_raw(server, head("/completion", 500) + b"{")
            begun = time.monotonic()
            self.assertEqual(server.end(), 0, server.text())
            print(f"SIGTERM under load: {time.monotonic() - begun:.2f} s to the end")
            self.assertLess(time.monotonic() - begun, 8)
            half.close()
            for reader in readers:
                reader.join(10)
                self.assertFalse(reader.is_alive())

    def test_sigkill_leaves_nothing_that_the_next_start_does_not_clean(self):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as spill:
            flags = ("-c", "2048", "-np", "1", "--kv-spill-dir", spill, "--kv-spill-flash")
            text = "A keeper has his own rules. " * 40
            for _ in range(2):
                with Server("governed", *flags) as server:
                    for i in range(3):
                        server.post("/completion", {"prompt": f"{i} {text}", "n_predict": 2})
                    server.request("POST", "/kvpsi/give-back")
                    self.assertTrue(wait_until(lambda: parked(server) > 0), "nothing on disk")
                    server.end(signal.SIGKILL)
            with Server("governed", *flags) as server:
                left = sum(p.stat().st_blocks * 512 for p in pathlib.Path(spill).rglob("*"))
                self.assertLess(left, 64 << 10, list(pathlib.Path(spill).rglob("*")))
                self.check_well(server)


def parked(server):
    return sum(pool["parked_bytes"] for pool in server.pools().values())


class Orders(Case):
    def test_storms_of_signals_and_orders_change_no_answer(self):
        request = {"prompt": "1, 2, 3, 4,", "n_predict": 24, "temperature": 0}
        with Server("governed", *SMALL, "--kv-spill-flash") as server:
            expected = server.post("/completion", request)[1]["content"]
            stop = threading.Event()

            def storm(give):
                while not stop.wait(0.005):
                    give()
            orders = ["give-back", "give-back", "pause", "resume"]
            storms = [threading.Thread(target=storm, args=(give,)) for give in (
                lambda: os.kill(server.pid, random.choice([signal.SIGUSR1, signal.SIGUSR2])),
                lambda: server.request("POST", f"/kvpsi/{random.choice(orders)}"),
                lambda: server.request("POST", "/kvpsi/give-back"),
                lambda: server.get("/kvpsi/state"))]
            for thread in storms:
                thread.start()
            try:
                answers = [server.post("/completion", request) for _ in range(25)]
            finally:
                stop.set()
                for thread in storms:
                    thread.join()
            self.assertEqual({(s, a["content"]) for s, a in answers}, {(200, expected)})
            server.request("POST", "/kvpsi/resume")
            self.check_well(server)

    def test_pause_and_resume_while_it_generates(self):
        with Server("governed", *SMALL) as server:
            readers = stream_all(server, 2)
            for _ in range(5):
                for order in ("pause", "resume"):
                    self.assertEqual(server.request("POST", f"/kvpsi/{order}")[0], 200)
                    time.sleep(0.1)
            for reader in readers:
                reader.join(60)
                self.assertFalse(reader.is_alive())
            self.check_well(server)


if __name__ == "__main__":
    unittest.main()
