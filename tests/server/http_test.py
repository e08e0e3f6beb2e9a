#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The routes of ours on the server's port, and new work that is refused while memory is short."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import subprocess
import time
import unittest

from server_process import KVPSI, Server, inside

SMALL = ("-c", "2048", "-np", "2")
MEMORY_GROUPS = pathlib.Path("/sys/fs/cgroup/memory")


class Routes(unittest.TestCase):
    def test_state_and_metrics_follow_the_server(self):
        with Server("governed", *SMALL) as server:
            server.post("/completion", {"prompt": "Salt is", "n_predict": 4})
            time.sleep(1.2)
            status, text = server.get("/kvpsi/state")
            self.assertEqual(status, 200)
            state = json.loads(text)
            self.assertEqual(state["schema"], "kvpsi.state/1")
            self.assertEqual(state["pid"], server.pid)
            kinds = [pool["kind"] for pool in state["tick"]["pools"]]
            self.assertEqual(kinds, ["kv", "scratch", "heap", "prompt_cache"])
            status, text = server.get("/kvpsi/metrics")
            self.assertEqual(status, 200)
            self.assertTrue(text.endswith("# EOF\n"))
            self.assertRegex(text, r"(?m)^kvpsi_\w+")

    def test_orders_are_taken(self):
        with Server("governed", *SMALL) as server:
            for path, paused in (("pause", True), ("pause", True), ("resume", False)):
                self.assertEqual(server.request("POST", f"/kvpsi/{path}", {})[0], 200)
                time.sleep(0.7)
                state = json.loads(server.get("/kvpsi/state")[1])
                self.assertEqual(state["tick"]["paused"], paused)
            self.assertEqual(server.request("POST", "/kvpsi/give-back", {})[0], 200)
            self.assertEqual(server.get("/kvpsi/live")[0], 200)
            self.assertEqual(server.get("/kvpsi/ready")[0], 200)
            self.assertEqual(server.get("/kvpsi/nothing")[0], 404)

    def test_they_are_behind_the_key(self):
        with Server("governed", *SMALL, key="secret") as server:
            self.assertEqual(server.get("/kvpsi/metrics")[0], 200)
            del server.headers["Authorization"]
            for path in ("state", "metrics", "live", "ready"):
                self.assertEqual(server.get(f"/kvpsi/{path}")[0], 401)
            self.assertEqual(server.request("POST", "/kvpsi/pause", {})[0], 401)

    def test_requests_are_counted(self):
        with Server("governed", *SMALL) as server:
            body = {"prompt": "Salt is", "n_predict": 2}
            for more in ({}, {"stream": True}):
                self.assertEqual(server.post("/completion", {**body, **more})[0], 200)
            server.post("/tokenize", {"content": "salt"})
            time.sleep(0.2)
            metrics = server.get("/kvpsi/metrics")[1]
            self.assertRegex(metrics, r"(?m)^kvpsi_admitted_total 2$")
            self.assertRegex(metrics, r"(?m)^kvpsi_requests_running 0$")


@contextlib.contextmanager
def limited_group(limit_mib):
    """A group of the first memory controller with this limit, gone afterwards."""
    group = MEMORY_GROUPS / f"kvpsi-serve-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(limit_mib << 20))
    except OSError as error:
        raise unittest.SkipTest(f"no memory group can be made: {error}") from error
    try:
        yield group
    finally:
        for _ in range(50):
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.1)


class Admission(unittest.TestCase):
    """A neighbour in the same group takes all that is left and more."""

    def squeeze(self, *flags):
        """Statuses of requests before, during and after."""
        with limited_group(235) as group:
            with Server("governed", *SMALL, *flags, groups=[group]) as server:
                body = {"prompt": "Salt is", "n_predict": 2, "temperature": 0}
                before = server.post("/completion", body)[0]
                neighbour = [str(KVPSI), "press", "--mib", "170", "--hot", "--force", "--for", "12"]
                press = subprocess.Popen(inside([group], neighbour), stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
                during = []

                def ask_on(_):
                    while press.poll() is None:
                        during.append(server.request("POST", "/completion", body))
                        time.sleep(0.1)
                with concurrent.futures.ThreadPoolExecutor(2) as clients:
                    list(clients.map(ask_on, range(2)))
                time.sleep(3)
                after = server.post("/completion", body)[0]
                return before, [status for status, _ in during], after, \
                    [text for status, text in during if status == 503]

    def test_new_work_gets_503_only_while_memory_is_short(self):
        for _ in range(3):  # the machine may happen to have enough
            before, during, after, refusals = self.squeeze("--psi-admission-wait", "off")
            if refusals:
                break
        print(f"admission: {during.count(200)} admitted, {during.count(503)} refused")
        self.assertEqual((before, after), (200, 200))
        self.assertEqual(set(during), {200, 503})
        for text in refusals:
            error = json.loads(text)["error"]
            self.assertEqual(error["type"], "unavailable_error")
            self.assertTrue(re.search(r"try again in \d+ s", error["message"]))

    def test_who_waits_for_its_turn_is_not_refused(self):
        before, during, after, _ = self.squeeze()
        self.assertEqual({before, after, *during}, {200})

    def test_nobody_is_refused_with_admission_off(self):
        before, during, after, _ = self.squeeze("--psi-admission", "off")
        self.assertEqual({before, after, *during}, {200})


if __name__ == "__main__":
    unittest.main()
