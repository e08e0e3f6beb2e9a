# SPDX-License-Identifier: MIT
"""How a benchmark begins: what stands beside its result (machine, kernel, commit, flags), and that
who ends it ends its servers too, as a new start does for one that was killed."""
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import time

import server_process
from groups import sweep


def begin(options):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sweep()
    for name, file in (("KVPSI", server_process.KVPSI), ("MODEL", server_process.MODEL)):
        if not os.path.isfile(file):
            sys.exit(f"{name} names no file ('{file}'): set it to the path of the "
                     f"{'program' if name == 'KVPSI' else 'GGUF model'}")
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    commit = subprocess.run(["git", "-C", str(pathlib.Path(__file__).parent), "describe",
                             "--always", "--dirty"], capture_output=True, text=True, check=False)
    print(f"{cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} CPUs, kernel "
          f"{platform.release()}, {time.strftime('%Y-%m-%d %H:%M')}, commit "
          f"{commit.stdout.strip() or 'unknown'}, {pathlib.Path(server_process.MODEL).name}, load "
          f"{os.getloadavg()[0]:.2f}")
    print(" ".join(f"{k}={v}" for k, v in sorted(vars(options).items())), flush=True)
