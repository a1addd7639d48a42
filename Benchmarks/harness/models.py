"""Rows of a model: one by its id and a page of 50, against FastAPI on the same table; and what a remote manager adds."""

import json
import os
import statistics

from . import builds, load
from .comparison import Ratio, alternate, outcome, result
from .identity import token
from .machine import LOAD_CORE, Unsuitable
from .ordering import psql, read_settings
from .servers import PEERS, SECRETS, free_port, running, start, start_nginx

CONNECTIONS = 8
ROWS = 1_000
LIMIT = 50
PATH = "/api/v1/suppliers"
ROWS_STATEMENT = f"""\
INSERT INTO suppliers (id, code, name, email, phone, payment_days, is_active)
SELECT gen_random_uuid(), 'S-' || n, 'Supplier number ' || n, 'orders-' || n || '@example.com', '+49 30 ' || 100000 + n, 30,
    n % 7 > 0
FROM generate_series(1, {ROWS}) AS n"""
RATIOS = [
    Ratio("row by its id: FastAPI + SQLAlchemy + Pydantic : vitrine", "fastapi, one row", "vitrine, one row",
          at_least=3.0),
    Ratio("page of 50 rows: FastAPI + SQLAlchemy + Pydantic : vitrine", "fastapi, 50 rows", "vitrine, 50 rows",
          at_least=4.0),
]
REMOTE_BOUND_US = 120.0
NOTES = [
    "One table of twelve columns in one PostgreSQL, 8 connections each, PostgreSQL and wrk on the other core. vitrine's are "
    "the routes that every resource has, with an access token checked, the company in the statement, metrics, spans (exported "
    "to a collector) and an access log (to /dev/null); FastAPI's select the same rows by the same conditions, with neither "
    "token nor telemetry. The ratio is that of requests a second and core.",
    "`remote` reads a row through a remote manager, `local` through a local one; both services run in one process, so that "
    "the difference holds the call and the other service's answer.",
]


def measure(case, options, folder, say):
    program = builds.swift("vitrine-bench", options.package, options.build)
    uvicorn = builds.fastapi()
    headers = {"Authorization": "Bearer " + token(SECRETS["JWT_SECRET"])}
    with running() as servers:
        say("starting PostgreSQL")
        # The cluster belongs to a user of its own.
        os.chmod(folder, 0o755)
        backends = start("database", [program, "database", "--port", free_port()], 0, folder, {"BENCH_FOLDER": folder},
                         core=LOAD_CORE)
        servers.append(backends)
        settings = read_settings(backends)
        database = settings["DATABASE_URL"].rstrip("/") + "/keeper_db"
        collector = start_nginx("collector", "collector.conf", folder, core=LOAD_CORE)
        servers.append(collector)
        port, reader_port = free_port(), free_port()
        ours = start("vitrine models", [program, "models", "--port", port], port, folder, SECRETS | settings | {
            "READER_PORT": str(reader_port), "DATABASE_POOL_SIZE": str(CONNECTIONS),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        }, output_is_log=False)
        servers.append(ours)
        ours.wait_until_ready("/health/ready")
        psql(database, ROWS_STATEMENT)
        psql(database, "ANALYZE suppliers")
        row = psql(database, "SELECT id FROM suppliers ORDER BY lsn OFFSET 500 LIMIT 1")
        port = free_port()
        peer = start("fastapi", [uvicorn, "--app-dir", PEERS / "fastapi", "--host", "127.0.0.1", "--port", port,
                                 "--no-access-log", "--log-level", "warning", "models:app"], port, folder,
                     {"DATABASE": database.replace("postgresql://", "postgresql+asyncpg://")})
        servers.append(peer)
        subjects = {
            "vitrine, one row": (ours, ours.port, f"{PATH}/{row}"),
            "fastapi, one row": (peer, peer.port, f"{PATH}/{row}"),
            "vitrine, 50 rows": (ours, ours.port, f"{PATH}?limit={LIMIT}"),
            "fastapi, 50 rows": (peer, peer.port, f"{PATH}?limit={LIMIT}"),
            "vitrine, local": (ours, ours.port, f"/local/{row}"),
            "vitrine, remote": (ours, reader_port, f"/remote/{row}"),
        }
        check(subjects, headers)

        def one(_, subject):
            server, port, path = subject
            return load.measure(server.at(port), path, options.seconds, headers)

        for name, subject in subjects.items():
            one(name, subject)
        rounds = alternate(subjects, options.rounds, one, say)
    report = outcome(case, rounds, RATIOS, NOTES)
    added = [one["vitrine, remote"]["cpu_us"] - one["vitrine, local"]["cpu_us"] for one in rounds]
    report["ratios"].append(
        result("remote manager's get - local", statistics.median(added), added, at_most=REMOTE_BOUND_US, unit="µs"))
    return report


def check(subjects, headers):
    """Both sides of a comparison answer with the same rows."""
    answers = {
        name: json.loads(server.at(port).wait_until_ready(path, headers))
        for name, (server, port, path) in subjects.items()
    }
    for name, answer in answers.items():
        rows = answer.get("items", [answer])
        expected = answers["fastapi, 50 rows" if "items" in answer else "fastapi, one row"]
        known = expected.get("items", [expected])
        if [stable(row) for row in rows] != [stable(row) for row in known]:
            raise Unsuitable(f"{name} answered other rows: {rows[0]}, not {known[0]}")


def stable(row):
    """A row without its times, which have more than one spelling."""
    return {name: value for name, value in row.items() if not name.endswith("_at")}
