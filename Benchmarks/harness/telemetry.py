"""Single operations of the telemetry core against Go's libraries: nanoseconds of CPU time an operation.

To add a row: the same name in `Benchmarks/Telemetry/…Rows.swift`, in a `.go` file of `peers/go/telemetry`, and here.
"""

import statistics
import subprocess

from . import builds
from .comparison import Ratio, alternate, outcome, result
from .machine import SERVER_CORE, LOAD_CORE, Unsuitable

# Name, what the peer is, cores that it runs on, bound of the ratio.
ROWS = [
    ("counter", "counter increment : client_golang", 1, 0.5),
    ("counter-two-threads", "counter increment, two threads : client_golang", 2, 0.25),
    ("histogram", "histogram observation : client_golang", 1, 0.5),
    ("histogram-native", "the same with the native form besides : client_golang", 1, 0.5),
    ("lookup", "label lookup and increment : client_golang", 1, 0.5),
    ("span", "span with four attributes, encoded : Go SDK's start and end", 1, 0.25),
    ("log", "log line with four fields : zerolog", 1, 0.6),
    ("log-zap", "the same : zap", 1, 0.3),
    ("scrape", "scrape of 10,000 series : client_golang", 1, 0.4),
    ("scrape-openmetrics", "the same in OpenMetrics : client_golang", 1, 0.4),
    ("scrape-native", "the same in protobuf with native histograms : client_golang", 1, 0.4),
]
# What has no peer: name, what it is, thousands of operations a second on one core at least.
RATES = [("otlp", "OTLP encoding and gzip of spans, thousands a second", 300)]
TIMEOUT_SECONDS = 120
NOTES = [
    "One operation in a loop, the process pinned to one core (two for two threads); CPU time of the process, background "
    "threads and garbage collection included. Go's libraries are those of Debian.",
    "Two threads take turns where other work keeps one of the cores busy: then Go's shared counter is not contended, and "
    "the ratio rises to that of one thread.",
]


def measure(case, options, folder, say):
    programs = {
        "vitrine": builds.swift("telemetry-bench", options.package, options.build),
        "go": builds.go_telemetry(folder),
    }
    milliseconds = options.seconds * 1000 // 4
    rounds = [{} for _ in range(options.rounds)]
    for row, _, cores, _ in ROWS:
        subjects = {f"{row}, {name}": program for name, program in programs.items()}
        taken = alternate(
            subjects, options.rounds, lambda _, program: one(program, row, cores, milliseconds), say, figure="ns")
        for into, figures in zip(rounds, taken):
            into.update(figures)
    rates = [
        [1e6 / one(programs["vitrine"], row, 1, milliseconds)["ns"] for _ in range(options.rounds)] for row, _, _ in RATES
    ]
    ratios = [
        Ratio(title, f"{row}, vitrine", f"{row}, go", figure="ns", at_most=bound) for row, title, _, bound in ROWS
    ]
    told = outcome(case, rounds, ratios, NOTES)
    for (_, title, bound), values in zip(RATES, rates):
        told["ratios"].append(result(title, statistics.median(values), values, at_least=bound, unit="k/s"))
    return told


def one(program, row, cores, milliseconds):
    """One measurement."""
    pinned = ["taskset", "-c", f"{SERVER_CORE}" if cores == 1 else f"{SERVER_CORE},{LOAD_CORE}"]
    result = subprocess.run([*pinned, program, row, "--milliseconds", str(milliseconds)], capture_output=True,
                            text=True, timeout=TIMEOUT_SECONDS)
    if result.returncode != 0:
        raise Unsuitable(f"{program} {row} ended with status {result.returncode}: {result.stderr.strip()[-400:]}")
    return {"ns": float(result.stdout)}
