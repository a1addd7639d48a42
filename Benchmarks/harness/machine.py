"""The machine: cores to pin to, CPU time of process trees, memory, and what to say about it in a report."""

import os
import platform
import subprocess
from pathlib import Path

# The server has a core to itself; load and upstreams share the other.
SERVER_CORE = 0
LOAD_CORE = 1
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Unsuitable(Exception):
    """This machine, or what is installed on it, cannot run a case."""


def require_two_cores():
    available = os.sched_getaffinity(0)
    if not {SERVER_CORE, LOAD_CORE} <= available:
        raise Unsuitable(
            f"cores {SERVER_CORE} and {LOAD_CORE} are needed: one for the server, one for the load; "
            f"this process may use {sorted(available)}"
        )


def tree(pid):
    """The process and all its descendants."""
    pids = [pid]
    for known in pids:
        try:
            for task in Path(f"/proc/{known}/task").iterdir():
                pids.extend(int(child) for child in (task / "children").read_text().split())
        except OSError:
            continue
    return pids


def cpu_seconds(pid):
    """User and system time of the whole tree so far."""
    ticks = 0
    for member in tree(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def resident_bytes(pid):
    """Resident memory of the process alone; 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _first_line(*command):
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "not installed"
    return ((output.stdout or output.stderr).strip().splitlines() or ["unknown"])[0]


def describe():
    """What a reader needs to compare two reports; no names of hosts or people."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "swift": _first_line("swift", "--version"),
        "nginx": _first_line("nginx", "-v").removeprefix("nginx version: "),
        "go": _first_line("go", "version"),
        "python": platform.python_version(),
        "wrk": _first_line("wrk", "-v"),
        "load_average": round(os.getloadavg()[0], 2),
    }
