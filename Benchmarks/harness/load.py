"""One measurement: wrk on its core, CPU time of the server on the other."""

import re
import subprocess

from .machine import LOAD_CORE, Unsuitable, cpu_seconds

CONNECTIONS = 64
# Few enough that requests wait for little but themselves.
LATENCY_CONNECTIONS = 8
WARM_UP_SECONDS = 1
MICROSECONDS = {"us": 1, "ms": 1e3, "s": 1e6}


def wrk(server, path, seconds, headers=None, script=None, pinned=True, max_refused=0.0, connections=CONNECTIONS):
    """Requests answered with 2xx, how many a second, and the microseconds that half of them took at most.

    max_refused: the part of the requests that may be answered otherwise. They never count; more of them raise
    Unsuitable, because a fast refusal is no result.
    """
    command = ["taskset", "-c", str(LOAD_CORE)] if pinned else []
    command += ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", "--latency"]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    if script:
        command += ["-s", str(script)]
    command.append(f"http://127.0.0.1:{server.port}{path}")
    result = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30)
    output = result.stdout
    count = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if result.returncode != 0 or not count or not rate:
        raise Unsuitable(f"wrk failed against {server.name}: {(result.stderr or output).strip()[-300:]}")
    total = int(count[1])
    found = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    refused = int(found[1]) if found else 0
    if refused > total * max_refused:
        raise Unsuitable(f"{server.name} answered {refused} of {total} requests with an error")
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    if errors and any(int(number) for number in errors.groups()):
        raise Unsuitable(f"{server.name}: {errors[0]}")
    answered = total - refused
    half = re.search(r"50%\s+([\d.]+)(us|ms|s)", output)
    if not half:
        raise Unsuitable(f"wrk told no latency against {server.name}")
    return answered, float(rate[1]) * answered / max(1, total), float(half[1]) * MICROSECONDS[half[2]]


def measure(server, path, seconds, headers=None, script=None, pinned=True, max_refused=0.0):
    """CPU microseconds of the server a request, and requests a second."""
    before = cpu_seconds(server.pid)
    count, rate, _ = wrk(server, path, seconds, headers, script, pinned, max_refused)
    spent = cpu_seconds(server.pid) - before
    if count == 0:
        raise Unsuitable(f"{server.name} answered nothing in {seconds} s")
    return {"cpu_us": spent * 1e6 / count, "rps": rate, "requests": count}


def latency(server, path, seconds, headers=None):
    """Microseconds that half of the requests took at most, and CPU microseconds of the server a request."""
    before = cpu_seconds(server.pid)
    count, rate, half = wrk(server, path, seconds, headers, connections=LATENCY_CONNECTIONS)
    spent = cpu_seconds(server.pid) - before
    if count == 0:
        raise Unsuitable(f"{server.name} answered nothing in {seconds} s")
    return {"p50_us": half, "cpu_us": spent * 1e6 / count, "rps": rate, "requests": count}
