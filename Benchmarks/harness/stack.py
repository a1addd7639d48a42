"""`vitrine up` on a folder of its own: how soon it is ready, and what it weighs after the demo."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from . import builds
from .comparison import result
from .machine import Unsuitable, resident_bytes
from .servers import ROOT, running, start

READY_TIMEOUT_SECONDS = 120
DEMO_TIMEOUT_SECONDS = 180
SETTLE_SECONDS = 5
MAX_READY_SECONDS = 25
MAX_RESIDENT_MB = 300
NOTES = [
    "`vitrine up --free-ports` with PostgreSQL, Redis, RabbitMQ, the demo catalog and every service in one process: the "
    "second start in the same folder, as on a warm machine. Memory is that of the process of the services, resident, "
    f"{SETTLE_SECONDS} s after `vitrine demo` has ended."
]


def measure(case, options, folder, say):
    program = builds.swift("vitrine", options.package, options.build)
    # PostgreSQL's user must be able to reach its cluster.
    os.chmod(folder, 0o755)
    home = Path(folder) / "vitrine"
    ready, resident = [], []
    for number, name in enumerate(["cold start", "warm start"]):
        with running() as servers:
            began = time.monotonic()
            up = start(f"up-{number}", [program, "up", "--folder", home, "--free-ports", "--no-monitoring"], 0, folder,
                       core=None)
            servers.append(up)
            seconds = wait_until_ready(up)
            say(f"{name}: ready after {seconds:.1f} s ({time.monotonic() - began:.1f} s from outside)")
            if number == 1:
                ready.append(seconds)
                demo = subprocess.run([program, "demo", "--folder", home], capture_output=True, text=True,
                                      timeout=DEMO_TIMEOUT_SECONDS, cwd=ROOT)
                if demo.returncode != 0:
                    raise Unsuitable("vitrine demo failed: " + (demo.stderr or demo.stdout).strip()[-400:])
                time.sleep(SETTLE_SECONDS)
                resident.append(resident_bytes(up.pid) / 1e6)
            up.process.send_signal(signal.SIGINT)
            up.process.wait(60)
    return {
        "name": case.name,
        "title": case.title,
        "subjects": {},
        "rounds": [],
        "ratios": [
            result("`vitrine up` until ready", ready[0], ready, at_most=MAX_READY_SECONDS, unit="s"),
            result("all services in one process, idle after the demo", resident[0], resident, at_most=MAX_RESIDENT_MB,
                   unit="MB"),
        ],
        "notes": NOTES,
    }


def wait_until_ready(up):
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        text = up.log.read_text(errors="replace")
        found = re.search(r"ready after ([\d.]+) s", text)
        if found:
            return float(found[1])
        if up.process.poll() is not None:
            raise Unsuitable(f"vitrine up ended with status {up.process.returncode}: {up.last_lines()}")
        time.sleep(0.05)
    raise Unsuitable(f"vitrine up was not ready after {READY_TIMEOUT_SECONDS} s: {up.last_lines()}")
