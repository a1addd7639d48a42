"""What a request notices of telemetry in trouble: the same service, one fault each, against the same service all well."""

import os
from contextlib import ExitStack

from . import builds, load
from .answers import HELLO, PATH
from .collectors import Babbler, Silent, Sink, SlowCollector
from .comparison import Ratio, alternate, outcome
from .machine import LOAD_CORE, Unsuitable
from .servers import SECRETS, free_port, running, start, start_nginx

WELL = "all well"
# Median latency of a request under the fault : all well.
BOUND = 1.1
SLOW_SECONDS = 0.2
# What nginx says instead of `return 200;`.
ANSWERS = {
    **{f"collector answers {code}": f"return {code};" for code in (400, 413, 429, 503)},
    "collector redirects": "return 307 http://127.0.0.1:1/;",
    "collector answers garbage": 'return 200 "<html>hello";',
}
# The least that VITRINE_OTLP_SPOOL_BYTES takes; a second of spans fills it.
SPOOL_BYTES = 1 << 20
# Less than a request of spans has: every file of the spool fails, as on a full disk.
DISK_BYTES = 4096

LABEL_PATH = "/labelled"
LABELS, LABEL = "a million label values", "one label value"
TRACE = "0af7651916cd43dd8448eb211c80319c"
# Of about the same size, and both sampled.
WELL_HEADERS = {
    "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
    "tracestate": ",".join(f"k{n}=v" for n in range(32)),
    "baggage": ",".join(f"key{n}={'v' * 40}" for n in range(60)),
    "user-agent": "v" * 200,
}
HOSTILE, DECENT = "hostile headers", "decent headers"
HOSTILE_HEADERS = {
    "traceparent": f"00-{TRACE}-b7ad6b7169203331-0g",
    "tracestate": ",".join("=,;" for _ in range(48)),
    "baggage": ",".join(f"\\\"{{{n}=%%%zz;;=" + "\"'<" * 13 for n in range(60)),
    "user-agent": "${jndi}\"\\{}'" * 18,
}

# Each fault with what it is compared with.
FAULTS = {
    "collector refuses connections": WELL, "collector never answers": WELL, "collector is slow": WELL,
    **{name: WELL for name in ANSWERS}, "collector talks no HTTP": WELL, "spool is full": WELL, "disk is full": WELL,
    "Logstash is gone": WELL, "Logstash never reads": WELL, "standard output is a full pipe": WELL, LABELS: LABEL,
    HOSTILE: DECENT,
}
RATIOS = [Ratio(f"latency of a request, {fault} : {well}", fault, well, figure="p50_us", at_most=BOUND)
          for fault, well in FAULTS.items()]
NOTES = [
    "One service with metrics, a span and an access-log line for every request, eight connections; all well means a "
    "collector and a Logstash that take everything. The bound is that of the median; CPU time is told beside it. "
    "`Tests/TelemetryExportTests` shows for each fault that nothing waits, that memory is bounded and that losses are "
    "counted; this table shows the time, and only on a machine that does nothing else: look at the spread.",
]


class Subject:
    """A server, and what it is asked for."""

    def __init__(self, server, path=PATH, headers=None):
        self.server = server
        self.path = path
        self.headers = headers

    def measure(self, seconds):
        return load.latency(self.server, self.path, seconds, self.headers)


def measure(case, options, folder, say):
    program = builds.swift("vitrine-bench", options.package, options.build)
    with running() as servers, ExitStack() as stack:
        collector = start_nginx("collector", "collector.conf", folder, core=LOAD_CORE)
        servers.append(collector)
        logstash, slow, mute, babbler = Sink(), SlowCollector(SLOW_SECONDS), Silent(), Babbler()
        for thing in (logstash, slow, mute, babbler):
            stack.callback(thing.close)
        reading, writing = os.pipe()
        stack.callback(os.close, reading)
        stack.callback(os.close, writing)

        def settings(collector_port=collector.port, logstash_port=logstash.port, **more):
            return SECRETS | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector_port}",
                              "LOGSTASH_ADDRESS": f"127.0.0.1:{logstash_port}"} | more

        plans = {
            WELL: settings(),
            "collector refuses connections": settings(collector_port=free_port()),
            "collector never answers": settings(collector_port=mute.port),
            "collector is slow": settings(collector_port=slow.port),
            "collector talks no HTTP": settings(collector_port=babbler.port),
            "Logstash is gone": settings(logstash_port=free_port()),
            "Logstash never reads": settings(logstash_port=mute.port),
            "standard output is a full pipe": settings(),
            LABEL: settings(BENCH_LABEL_VALUES="1"),
            LABELS: settings(BENCH_LABEL_VALUES="1000000"),
        }
        for name, answer in ANSWERS.items():
            refusing = start_nginx(name, "collector.conf", folder, core=LOAD_CORE, replace={"return 200;": answer})
            servers.append(refusing)
            plans[name] = settings(collector_port=refusing.port)
        unavailable = plans["collector answers 503"]
        for name in ("spool is full", "disk is full"):
            plans[name] = unavailable | {"VITRINE_OTLP_SPOOL": f"{folder}/{name.replace(' ', '-')}",
                                         "VITRINE_OTLP_SPOOL_BYTES": str(SPOOL_BYTES)}
        subjects = {}
        for name, environment in plans.items():
            port = free_port()
            server = start(name, [program, "full", "--port", port], port, folder, environment, output_is_log=False,
                           output=writing if name == "standard output is a full pipe" else None,
                           file_bytes=DISK_BYTES if name == "disk is full" else None)
            servers.append(server)
            if server.wait_until_ready(PATH) != HELLO:
                raise Unsuitable(f"{name} answered something else")
            subjects[name] = Subject(server, LABEL_PATH if name in (LABEL, LABELS) else PATH)
        subjects[DECENT] = Subject(subjects[WELL].server, headers=WELL_HEADERS)
        subjects[HOSTILE] = Subject(subjects[WELL].server, headers=HOSTILE_HEADERS)
        # Until queues and pipes are full.
        for subject in subjects.values():
            subject.measure(load.WARM_UP_SECONDS)
        rounds = [{} for _ in range(options.rounds)]
        ratios = []
        # In pairs, one right after the other: what else the machine does changes less meanwhile.
        for ratio in RATIOS:
            pair = {name: subjects[name] for name in (ratio.reference, ratio.subject)}
            taken = alternate(pair, options.rounds, lambda _, subject: subject.measure(options.seconds), say,
                              figure="p50_us")
            ratios += [ratio.evaluate(taken), processor_time(ratio).evaluate(taken)]
            for into, figures in zip(rounds, taken):
                into.update(figures)
    told = outcome(case, rounds, [], NOTES)
    told["ratios"] = ratios
    return told


def processor_time(ratio):
    """The same pair by the server's CPU time, as a second opinion: other processes blur it less than latency."""
    return Ratio(f"CPU time of a request, {ratio.subject} : {ratio.reference}", ratio.subject, ratio.reference)
