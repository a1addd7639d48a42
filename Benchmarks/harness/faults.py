"""What a request notices of telemetry in trouble: the same service, one fault each, against the same service all well."""

import os
import socket
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import builds, load
from .answers import HELLO, PATH
from .comparison import Ratio, alternate, outcome, warm_up
from .machine import LOAD_CORE, Unsuitable
from .servers import SECRETS, free_port, running, start, start_nginx

WELL = "all well"
# Median latency of a request under the fault : all well.
BOUND = 1.1
SLOW_SECONDS = 0.2
ANSWERS = [400, 413, 429, 503]
FAULTS = ["collector refuses connections", "collector never answers", "collector is slow",
          *[f"collector answers {code}" for code in ANSWERS],
          "Logstash is gone", "Logstash never reads", "standard output is a full pipe"]
RATIOS = [Ratio(f"latency of a request, {fault} : all well", fault, WELL, figure="p50_us", at_most=BOUND)
          for fault in FAULTS]
NOTES = [
    "One service with metrics, a span and an access-log line for every request, eight connections; all well means a "
    "collector and a Logstash that take everything. The bound is that of the median; CPU time is told beside it. "
    "`Tests/TelemetryExportTests` shows for each fault that nothing waits, that memory is bounded and that losses are "
    "counted; this table shows the time, and only on a machine that does nothing else: look at the spread.",
]


class SlowCollector:
    """Answers 200 after a while."""

    def __init__(self):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                time.sleep(SLOW_SECONDS)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Sink:
    """A Logstash that reads everything and forgets it."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.read, args=(connection,), daemon=True).start()

    def read(self, connection):
        buffer = bytearray(1 << 20)
        with connection:
            while connection.recv_into(buffer):
                pass

    def close(self):
        self.listener.close()


def silent():
    """A listener whose connections the kernel takes, and nobody reads."""
    return socket.create_server(("127.0.0.1", 0), backlog=64)


def measure(case, options, folder, say):
    program = builds.swift("vitrine-bench", options.package, options.build)
    with running() as servers, ExitStack() as stack:
        collector = start_nginx("collector", "collector.conf", folder, core=LOAD_CORE)
        servers.append(collector)
        logstash, slow = Sink(), SlowCollector()
        mute = silent()
        for thing in (logstash, slow, mute):
            stack.callback(thing.close)
        reading, writing = os.pipe()
        stack.callback(os.close, reading)
        stack.callback(os.close, writing)

        def settings(collector_port=collector.port, logstash_port=logstash.port):
            return SECRETS | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector_port}",
                              "LOGSTASH_ADDRESS": f"127.0.0.1:{logstash_port}"}

        plans = {
            WELL: settings(),
            "collector refuses connections": settings(collector_port=free_port()),
            "collector never answers": settings(collector_port=mute.getsockname()[1]),
            "collector is slow": settings(collector_port=slow.port),
            "Logstash is gone": settings(logstash_port=free_port()),
            "Logstash never reads": settings(logstash_port=mute.getsockname()[1]),
            "standard output is a full pipe": settings(),
        }
        for code in ANSWERS:
            refusing = start_nginx(f"answers-{code}", "collector.conf", folder, core=LOAD_CORE,
                                   replace={"return 200;": f"return {code};"})
            servers.append(refusing)
            plans[f"collector answers {code}"] = settings(collector_port=refusing.port)
        subjects = {}
        for name, environment in plans.items():
            port = free_port()
            pipe = writing if name == "standard output is a full pipe" else None
            subjects[name] = start(name, [program, "full", "--port", port], port, folder, environment,
                                   output_is_log=False, output=pipe)
            servers.append(subjects[name])
        for name, server in subjects.items():
            if server.wait_until_ready(PATH) != HELLO:
                raise Unsuitable(f"{name} answered something else")
        # Until queues and pipes are full.
        warm_up(subjects, PATH)
        rounds = [{} for _ in range(options.rounds)]
        ratios = []
        # In pairs, one right after the other: what else the machine does changes less meanwhile.
        for ratio in RATIOS:
            pair = {name: subjects[name] for name in (ratio.reference, ratio.subject)}
            taken = alternate(pair, options.rounds, lambda name, server: load.latency(server, PATH, options.seconds), say,
                              figure="p50_us")
            ratios.append(ratio.evaluate(taken))
            for into, figures in zip(rounds, taken):
                into.update(figures)
    told = outcome(case, rounds, [], NOTES)
    told["ratios"] = ratios
    return told
