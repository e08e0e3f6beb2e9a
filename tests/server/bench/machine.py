# SPDX-License-Identifier: MIT
"""What stands beside a result: machine, kernel, commit and flags."""
import os
import pathlib
import platform
import re
import subprocess
import time

import server_process


def print_machine(options):
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    commit = subprocess.run(["git", "-C", str(pathlib.Path(__file__).parent), "describe",
                             "--always", "--dirty"], capture_output=True, text=True, check=False)
    print(f"{cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} CPUs, kernel "
          f"{platform.release()}, {time.strftime('%Y-%m-%d %H:%M')}, commit "
          f"{commit.stdout.strip() or 'unknown'}, {pathlib.Path(server_process.MODEL).name}, load "
          f"{os.getloadavg()[0]:.2f}")
    print(" ".join(f"{k}={v}" for k, v in sorted(vars(options).items())), flush=True)
