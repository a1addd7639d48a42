"""The same small JSON body from every height of the stack and from every peer."""

from . import builds, load
from .comparison import Ratio, alternate, outcome, warm_up
from .machine import LOAD_CORE, Unsuitable
from .servers import PEERS, SECRETS, free_port, running, start, start_nginx

HELLO = b'{"message":"hello"}'
PATH = "/hello"
# Name, kind of the bench server, settings.
OURS = [
    ("vitrine bare", "bare", {}),
    ("vitrine full", "full", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:@COLLECTOR@"}),
    ("vitrine full, no collector", "full", {}),
    ("vitrine quiet", "quiet", {}),
]
RATIOS = [
    Ratio("bare server : nginx", "vitrine bare", "nginx", at_most=1.3),
    Ratio("full middleware, telemetry on : nginx", "vitrine full", "nginx", at_most=2.0),
    Ratio("full middleware, telemetry on : Go net/http", "vitrine full", "go", at_most=0.9),
    Ratio("full middleware, telemetry on : FastAPI", "vitrine full", "fastapi", at_most=0.1),
    Ratio("telemetry on : off", "vitrine full", "vitrine quiet", at_most=1.25),
    Ratio("metrics and log, no collector : off", "vitrine full, no collector", "vitrine quiet"),
    Ratio("Go net/http : nginx", "go", "nginx"),
]
NOTES = [
    "`full` records metrics, a span and an access-log line for every request; the log goes to /dev/null, the spans to a "
    "collector on the other core, as many as the export queue takes. `quiet` is the same service without telemetry. "
    "The peers have neither log nor telemetry."
]


def measure(case, options, folder, say):
    program = builds.swift("vitrine-bench", options.package, options.build)
    go = builds.go("server", folder)
    uvicorn = builds.fastapi()
    with running() as servers:
        subjects = {}

        def add(name, server):
            servers.append(server)
            subjects[name] = server

        collector = start_nginx("collector", "collector.conf", folder, core=LOAD_CORE)
        servers.append(collector)
        for name, kind, settings in OURS:
            port = free_port()
            settings = {key: value.replace("@COLLECTOR@", str(collector.port)) for key, value in settings.items()}
            add(name, start(name, [program, kind, "--port", port], port, folder, SECRETS | settings,
                            output_is_log=False))
        add("nginx", start_nginx("nginx", "static.conf", folder))
        port = free_port()
        add("go", start("go", [go, port], port, folder))
        port = free_port()
        add("fastapi", start("fastapi", [uvicorn, "--app-dir", PEERS / "fastapi", "--host", "127.0.0.1", "--port", port,
                                         "--no-access-log", "--log-level", "warning", "app:app"], port, folder))
        for name, server in subjects.items():
            body = server.wait_until_ready(PATH)
            if body != HELLO:
                raise Unsuitable(f"{name} answered {body[:100]!r}, not {HELLO!r}")
        warm_up(subjects, PATH)
        rounds = alternate(
            subjects, options.rounds, lambda name, server: load.measure(server, PATH, options.seconds), say)
    return outcome(case, rounds, RATIOS, NOTES)
