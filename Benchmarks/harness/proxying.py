"""A proxied GET: the whole gateway against bare reverse proxies, all before the same nginx."""

from . import builds, load
from .answers import HELLO
from .comparison import Ratio, alternate, outcome, warm_up
from .identity import token
from .machine import LOAD_CORE, Unsuitable
from .servers import SECRETS, free_port, running, start, start_nginx

# A path that the gateway sends to the catalog.
PATH = "/api/products"
RATIOS = [
    Ratio("gateway GET : Go httputil.ReverseProxy", "vitrine gateway", "go proxy", at_most=0.5),
    Ratio("gateway GET : nginx proxying", "vitrine gateway", "nginx proxy", at_most=2.0),
]
NOTES = [
    "The gateway verifies an access token, limits by address, signs the identity for the hop, continues the trace and "
    "records metrics, spans (exported to a collector on the other core) and an access log (to /dev/null); the peers only "
    "pass bytes on. All get the same request, token included."
]


def measure(case, options, folder, say):
    program = builds.swift("vitrine-bench", options.package, options.build)
    go = builds.go("proxy", folder)
    headers = {"Authorization": "Bearer " + token(SECRETS["JWT_SECRET"])}
    with running() as servers:
        upstream = start_nginx("upstream", "static.conf", folder, core=LOAD_CORE)
        servers.append(upstream)
        collector = start_nginx("collector", "collector.conf", folder, core=LOAD_CORE)
        servers.append(collector)
        port = free_port()
        settings = {
            "CATALOG_URL": f"http://127.0.0.1:{upstream.port}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
            "GATEWAY_RATE_LIMIT_PER_SECOND": "1000000",
        }
        subjects = {
            "vitrine gateway": start("vitrine gateway", [program, "gateway", "--port", port], port, folder,
                                     SECRETS | settings, output_is_log=False)
        }
        servers.append(subjects["vitrine gateway"])
        subjects["nginx proxy"] = start_nginx("nginx proxy", "proxy.conf", folder, upstream=upstream.port)
        servers.append(subjects["nginx proxy"])
        port = free_port()
        subjects["go proxy"] = start("go proxy", [go, port, upstream.port], port, folder)
        servers.append(subjects["go proxy"])
        for name, server in subjects.items():
            body = server.wait_until_ready(PATH, headers)
            if body != HELLO:
                raise Unsuitable(f"{name} answered {body[:100]!r}, not {HELLO!r}")
        warm_up(subjects, PATH, headers)
        rounds = alternate(
            subjects, options.rounds, lambda name, server: load.measure(server, PATH, options.seconds, headers), say)
    return outcome(case, rounds, RATIOS, NOTES)
