# SPDX-License-Identifier: MIT
"""One memory limit over a server and its neighbour, each with a pressure file of its own: a group
of the first memory controller for the limit, two groups of the second hierarchy for the pressure,
or all three in the second where that has the memory controller. Needs root.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from server_process import KVPSI, inside, leaves_page_cache

V1 = pathlib.Path("/sys/fs/cgroup/memory")
V2 = next((path for path in (pathlib.Path("/sys/fs/cgroup/unified"), pathlib.Path("/sys/fs/cgroup"))
           if (path / "cgroup.controllers").exists()), None)
NAME = "kvpsi-serve-bench"
MEMBERS = ("server", "neighbour")


class Squeeze:
    """The limit and who lives under it. Gone at the end, with everybody in it."""

    def __init__(self, limit_mib):
        if V2 is None:
            sys.exit("no second cgroup hierarchy is mounted: no pressure to read")
        self.is_v1 = (V1 / "memory.limit_in_bytes").exists()
        self.top = (V1 if self.is_v1 else V2) / f"{NAME}-{os.getpid()}"
        self.members = {m: V2 / f"{NAME}-{os.getpid()}-{m}" if self.is_v1 else self.top / m
                        for m in MEMBERS}
        self.limit_bytes = limit_mib << 20

    def __enter__(self):
        try:
            self.top.mkdir()
            if not self.is_v1:
                (self.top / "cgroup.subtree_control").write_text("+memory")
            for member in self.members.values():
                member.mkdir()
            limit = "memory.limit_in_bytes" if self.is_v1 else "memory.max"
            (self.top / limit).write_text(str(self.limit_bytes))
        except OSError as error:
            self.__exit__()
            sys.exit(f"no group can be made, which needs root and a memory controller: {error}")
        return self

    def __exit__(self, *_):
        for folder in (*self.members.values(), self.top):
            remove(folder)

    def groups_of(self, member):
        """Where a process of this member lives."""
        return [self.members[member]] + ([self.top] if self.is_v1 else [])

    def stall_us(self, member):
        """Microseconds that some task of the member has stalled for memory so far."""
        text = (self.members[member] / "memory.pressure").read_text()
        return int(re.search(r"^some .*total=(\d+)", text, re.MULTILINE).group(1))

    def kills(self):
        """Processes that the kernel killed for the limit."""
        file = "memory.oom_control" if self.is_v1 else "memory.events"
        text = (self.top / file).read_text()
        return int(re.search(r"^oom_kill (\d+)", text, re.MULTILINE).group(1))


class Neighbour:
    """kvpsi press in the squeeze's other group, all its memory at once; without memory nobody. It
    ends with its context, at the latest after that many seconds."""

    def __init__(self, squeeze, mib, seconds=600):
        press = [str(KVPSI), "press", "--mib", str(mib), "--hot", "--force", "--for", str(seconds),
                 "--quiet"]
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            inside(squeeze.groups_of("neighbour"), press), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL) if mib else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
        if self.process is not None:
            self.process.wait()

    def is_dead(self):
        return self.process is not None and self.process.poll() is not None


def remove(folder):
    for _ in range(100):
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.05)
    print(f"left behind: {folder}", file=sys.stderr)


def sweep():
    """Ends groups of a run that was killed, and whom it left there: they have the model mapped."""
    for root in (V1, V2):
        for folder in sorted(root.glob(f"{NAME}-*"), reverse=True) if root else ():
            owner = int(folder.name[len(NAME) + 1:].split("-")[0])
            if owner != os.getpid() and not pathlib.Path(f"/proc/{owner}").exists():
                for child in (*folder.glob("*/"), folder):
                    for pid in (child / "cgroup.procs").read_text().split():
                        os.kill(int(pid), signal.SIGKILL)
                    remove(child)


def forget_pages(path):
    """The file out of the page cache, or the benchmark ends."""
    if not leaves_page_cache(path):
        sys.exit(f"{path} stays in the page cache: somebody has it mapped")
