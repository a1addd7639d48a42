"""No-op tasks through one worker process: enqueued, run and acknowledged, on a Redis with its append-only file."""

import statistics
import subprocess

from . import builds
from .comparison import outcome, result
from .machine import Unsuitable

TASKS_A_SECOND = 20_000
BOUND = 5_000
TIMEOUT_SECONDS = 300
NOTES = [
    "One process enqueues and runs the tasks, with metrics and spans (not exported), on both cores with its Redis "
    "(`appendonly yes`, `appendfsync everysec`): wall time from the first task until the last is acknowledged.",
]


def measure(case, options, folder, say):
    program = builds.swift("tasks-bench", options.package, options.build)
    rates = []
    for number in range(options.rounds):
        rates.append(one(program, options.seconds * TASKS_A_SECOND // 4))
        say(f"round {number + 1}: {rates[-1]:.0f} tasks a second")
    rounds = [{"tasks": {"per_second": rate}} for rate in rates]
    told = outcome(case, [], [], NOTES)
    told["rounds"] = rounds
    told["ratios"].append(
        result("no-op tasks enqueued, run and acknowledged, a second", statistics.median(rates), rates,
               at_least=BOUND, unit="/s"))
    return told


def one(program, count):
    """One measurement."""
    run = subprocess.run([program, "rate", str(count)], capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    if run.returncode != 0:
        raise Unsuitable(f"{program} rate ended with status {run.returncode}: {run.stderr.strip()[-400:]}")
    return float(run.stdout)
