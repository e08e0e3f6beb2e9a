# SPDX-License-Identifier: MIT
"""A llama-server under test, stock or governed: started on a free port, asked, measured, ended.

The programs and the model come from the environment: KVPSI (kvpsi; kvpsi-server and a stock
llama-server lie beside it) and MODEL.
"""
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

KVPSI = pathlib.Path(os.environ.get("KVPSI", "build/server/bin/kvpsi"))
MODEL = os.environ.get("MODEL", "")
START_S = 60

# What differs from run to run and says nothing.
VOLATILE = {"created", "created_at", "completed_at", "timings", "completion_id", "t_ms", "item_id",
            "call_id", "media_marker"}


def wait_until(holds, seconds=20):
    """Whether it holds by then; looked at every 50 ms."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def inside(groups, command):
    """The words that start `command` as a member of these control groups."""
    enter = "".join(f"echo 0 >{group}/cgroup.procs && " for group in groups)
    return ["sh", "-c", f'{enter}exec "$@"', "sh", *command] if groups else command


def leaves_page_cache(path):
    """Takes a file out of the page cache, so that whoever reads it next is charged for it. False:
    it stays, since somebody has it mapped."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    listed = subprocess.run(["fincore", "-nb", "-o", "RES", path], capture_output=True, text=True,
                            check=True)
    return int(listed.stdout) == 0


def free_port():
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command_of(kind):
    """The words that start a server of this kind: stock or governed."""
    if kind == "stock":
        return [str(KVPSI.parent / "llama-server")]
    return [str(KVPSI), "serve"]


def normalise(value):
    """The answer without what differs from run to run."""
    if isinstance(value, dict):
        return {k: normalise(v) for k, v in value.items()
                if k not in VOLATILE and not (k == "id" and isinstance(v, str))}
    if isinstance(value, list):
        return [normalise(v) for v in value]
    return value


def events_of(text):
    """The JSON documents of a stream of server-sent events."""
    return [json.loads(line[6:]) for line in text.splitlines()
            if line.startswith("data: ") and line != "data: [DONE]"]


class Server:
    """One running server. Use as a context manager, so that none is left behind."""

    def __init__(self, kind, *flags, environment=None, key=None, groups=(), model=MODEL):
        self.kind = kind
        self.port = free_port()
        self.headers = {"Content-Type": "application/json"}
        if key is not None:
            flags += ("--api-key", key)
            self.headers["Authorization"] = f"Bearer {key}"
        self.log = tempfile.TemporaryFile(mode="w+")
        words = ["--port", str(self.port), "-t", "1", "--seed", "1", *flags]
        if model is not None:  # else a router
            words = ["-m", model, *words]
        command = inside(groups, command_of(kind) + words)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
        self.pid = self.process.pid
        self.start_s = self.wait_until_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        self.log.close()

    def wait_until_ready(self):
        """Seconds from the start until it serves."""
        while time.monotonic() - self.started < START_S:
            if self.process.poll() is not None:
                raise RuntimeError(f"ended with {self.process.returncode}:\n{self.text()}")
            try:
                if self.get("/health")[0] == 200:
                    return time.monotonic() - self.started
            except OSError:
                pass
            time.sleep(0.01)
        self.end(signal.SIGKILL)
        raise RuntimeError(f"not ready after {START_S} s:\n{self.text()}")

    def request(self, method, path, body=None, timeout=120):
        """Status and text of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, self.headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body):
        """The normalised answer: a document, or the list of those of a stream."""
        status, text = self.request("POST", path, body)
        if body.get("stream"):
            return status, normalise(events_of(text))
        return status, normalise(json.loads(text))

    def busy_slots(self):
        """How many slots work on a request."""
        return sum(slot["is_processing"] for slot in json.loads(self.get("/slots")[1]))

    def pools(self):
        """What the governed server last saw of its pools of memory, by kind."""
        state = json.loads(self.get("/kvpsi/state")[1])
        return {pool["kind"]: pool for pool in state["tick"]["pools"]}

    def memory(self, field):
        """A field of /proc/PID/status in MiB: VmHWM, VmRSS, RssAnon ..."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        raise KeyError(field)

    def text(self):
        """What it has written so far."""
        self.log.seek(0)
        return self.log.read()

    def end(self, number=signal.SIGTERM):
        """Asks it to end and returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def run(kind, *flags, timeout=60, environment=None):
    """Runs a server that is expected to end by itself: exit code and everything it wrote."""
    done = subprocess.run(command_of(kind) + list(flags), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                          text=True, env={**os.environ, **(environment or {})}, check=False)
    return done.returncode, done.stdout
