#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A governed server under random load and real squeezes for a while (KVPSI_SOAK_S seconds): no
request is lost, no slot stuck, nothing leaked, nobody killed. KVPSI_SOAK_BRITTLE=1: in a group
without page cache, where the kernel kills at the limit before anybody has stalled."""
import collections
import http.client
import json
import os
import pathlib
import random
import socket
import subprocess
import threading
import time
import unittest

from http_test import limited_group
from request_mix import Mix
from server_process import KVPSI, MODEL, Server, inside, leaves_page_cache, wait_until

SEED = int(os.environ.get("KVPSI_SEED", "1"))
SOAK_S = float(os.environ.get("KVPSI_SOAK_S", "60"))
CLIENTS = 6
BRITTLE = os.environ.get("KVPSI_SOAK_BRITTLE") == "1"
LIMIT_MIB = 300 if BRITTLE else 400  # the model's pages, some 100 MiB, among it or not
PRESS_MIB = (60, 200)  # with what the server needs at least, it fits below the limit
# A small cache of prompts is soon full: what grows with it is no leak.
FLAGS = ("--kv-spill-flash", "--psi-admission-wait", "100ms", "--cache-ram", "64",
         "--kv-max", "9MiB", "--kv-trim-keep", "16", "--kv-trim-tail", "64", "--kv-trim-min", "16")
WAIT_S = 120
LEAK_MIB = 12


class Client(threading.Thread):
    """Asks, hangs up, waits, in an order of its own; counts how each request ended."""

    def __init__(self, server, number, until, outcomes):
        super().__init__()
        self.server, self.until, self.outcomes = server, until, outcomes
        self.random = random.Random(SEED * 1000 + number)
        self.mix = Mix(SEED * 1000 + number)

    def run(self):
        while time.monotonic() < self.until():
            for _ in range(self.random.choice([1, 1, 1, 4])):
                self.outcomes.append(self.one())
            time.sleep(self.random.choice([0, 0, 0.2, 1]))

    def long(self):
        """A prompt long enough to be trimmed while it is answered."""
        first = self.random.randrange(1000, 2000)
        prompt = " ".join(f"In {first + i} boat {i * 37 % 91} passed." for i in range(40))
        return "POST", "/completion", {"prompt": prompt, "n_predict": 60, "ignore_eos": True}

    def one(self):
        _, path, body = self.long() if self.random.random() < 0.08 else self.mix.generation()
        hangs_up = self.random.random() < 0.2
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=WAIT_S)
        try:
            connection.request("POST", path, json.dumps(body), self.server.headers)
            if hangs_up and not body.get("stream"):
                time.sleep(self.random.random())
                return "cancelled"
            response = connection.getresponse()
            if hangs_up and response.status == 200:
                response.read(self.random.randrange(1, 200))
                return "cancelled"
            response.read()
            if response.status == 503 and response.getheader("Retry-After"):
                return "refused"
            return "answered" if response.status == 200 else f"lost: {response.status}"
        except (OSError, http.client.HTTPException, socket.timeout) as error:
            return f"lost: {error!r}"
        finally:
            connection.close()


class Presser(threading.Thread):
    """Squeezes the group time and again; `failed` are the neighbours that did not end well. They do
    not ask what is free (--force): what the server holds at that moment is for it to give back. But
    they grow as a program does that reads what it keeps."""

    def __init__(self, group, until):
        super().__init__()
        self.group, self.until, self.squeezes, self.failed = group, until, 0, []
        self.random = random.Random(SEED)

    def run(self):
        while time.monotonic() < self.until() - 8:
            mib, seconds = self.random.randint(*PRESS_MIB), self.random.randint(2, 6)
            done = subprocess.run(
                inside([self.group], [str(KVPSI), "press", "--mib", str(mib), "--hot", "--force",
                                      "--step-mib", "10", "--step-s", "0.1",
                                      "--for", str(seconds)]),
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
            self.squeezes += 1
            if done.returncode != 0:
                self.failed.append(f"{mib} MiB: exit {done.returncode}, {done.stderr.strip()}")
            time.sleep(self.random.uniform(0.5, 3))


def places_page_cache():
    """The model's pages are charged to who reads them first: outside the group, or in it, once the
    server reads them. False: somebody has them in use."""
    if not BRITTLE:
        return leaves_page_cache(MODEL)
    pathlib.Path(MODEL).read_bytes()
    return True


def state_of(server):
    """What may leak, at rest: anonymous MiB, descriptors, threads."""
    time.sleep(3)  # from when on what was used last is idle
    server.request("POST", "/kvpsi/give-back")
    time.sleep(6)  # idle threads of the HTTP pool end
    process = pathlib.Path(f"/proc/{server.pid}")
    return {"MiB": round(server.memory("RssAnon"), 1),
            "descriptors": len(list((process / "fd").iterdir())),
            "threads": len(list((process / "task").iterdir()))}


def load(server, seconds, outcomes, group=None):
    """Clients, and squeezes where a group is given, for that long; who squeezed."""
    end = time.monotonic() + seconds
    clients = [Client(server, i, lambda: end, outcomes) for i in range(CLIENTS)]
    presser = Presser(group, lambda: end if group else 0)
    for thread in [*clients, presser]:
        thread.start()
    for thread in [*clients, presser]:
        thread.join()
    return presser


class Soak(unittest.TestCase):
    def test_nothing_is_lost_stuck_or_leaked(self):
        outcomes = []
        if not places_page_cache():
            self.skipTest(f"{MODEL} is in use: its pages are charged elsewhere")
        with limited_group(LIMIT_MIB) as group, \
                Server("governed", "-c", "4096", "-np", "3", *FLAGS, groups=[group]) as server:
            load(server, 10, outcomes)
            before = state_of(server)
            presser = load(server, SOAK_S, outcomes, group)
            is_free = wait_until(lambda: server.busy_slots() == 0, WAIT_S)  # after the last cancel
            self.assertTrue(is_free, "a slot is stuck")
            after = state_of(server)
            told = json.loads(server.get("/kvpsi/state")[1])
            code = server.end()
            counted = collections.Counter(outcomes)
            print(f"soak: {len(outcomes)} requests ({dict(counted)}), {presser.squeezes} squeezes; "
                  f"at rest before {before}, after {after}; exit {code}")
            print(f"soak: {told['admission']}, {told['totals']}")
            self.assertEqual(code, 0, server.text())
            self.assertEqual(presser.failed, [])
            self.assertLessEqual(set(counted), {"answered", "refused", "cancelled"})
            self.assertLess(after["MiB"], before["MiB"] + LEAK_MIB)
            self.assertLessEqual(after["descriptors"], before["descriptors"] + 2)
            self.assertLessEqual(after["threads"], before["threads"] + 2)


if __name__ == "__main__":
    unittest.main()
