"""Orders accepted a second, against pgbench doing the same two inserts over as many connections."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

from . import builds, load
from .comparison import Ratio, alternate, outcome
from .identity import USER, token
from .machine import SERVER_CORE, Unsuitable
from .servers import SECRETS, free_port, running, start, start_nginx

PATH = "/order-api/orders/"
CONNECTIONS = 8
DRAIN_TIMEOUT_SECONDS = 60
# A disk that stalls makes a statement time out now and then; such an order is answered 5xx and does not count.
MAX_REFUSED = 0.01
PRODUCTS = [
    {"product_id": "0a1b2c3d-0000-4000-8000-000000000001", "name": "Oak table", "category": "furniture",
     "price": 249.9, "stock_count": 100},
    {"product_id": "0a1b2c3d-0000-4000-8000-000000000002", "name": "Linen lamp", "category": "lighting",
     "price": 49.95, "stock_count": 100},
]
ITEMS = [{"product_id": one["product_id"], "name": one["name"], "price": one["price"], "quantity": 1}
         for one in PRODUCTS]
ORDER = {"items": ITEMS, "total": 299.85}
RATIOS = [Ratio("orders a second : pgbench, same two inserts", "vitrine orders", "pgbench", "rps", at_least=0.25)]
NOTES = [
    f"`vitrine orders` is POST {PATH} with two items, 64 clients, {CONNECTIONS} database connections; the row of the order "
    "and its event are committed (fsync on) before the answer, and the relay publishes to RabbitMQ meanwhile. pgbench "
    f"inserts equal rows into copies of both tables, {CONNECTIONS} connections, prepared statements. No process is pinned; "
    "the CPU column is that of the whole process tree named."
]

PGBENCH_SCRIPT = """\
BEGIN;
INSERT INTO bench_orders (id, company_id, user_id, items, total, status, idempotency_key, request_digest,
    created_at, updated_at, status_changed_at)
VALUES (gen_random_uuid(), NULL, '{user}', '{items}'::jsonb, 299.85, 'CREATED', NULL, repeat('0', 64), now(), now(), now())
ON CONFLICT (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING;
INSERT INTO bench_outbox (id, type, subject, body, headers)
VALUES (gen_random_uuid(), 'order.created', gen_random_uuid()::text, '{event}',
    '{{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}'::jsonb);
COMMIT;
"""


def measure(case, options, folder, say):
    program = builds.swift("vitrine-bench", options.package, options.build)
    with running() as servers:
        say("starting PostgreSQL and RabbitMQ")
        backends = start("backends", [program, "backends", "--port", free_port()], 0, folder, {"BENCH_FOLDER": folder},
                         core=None)
        servers.append(backends)
        os.chmod(folder, 0o755)
        settings = read_settings(backends)
        catalog = start_catalog(folder)
        servers.append(catalog)
        port = free_port()
        orders = start("vitrine orders", [program, "orders", "--port", port], port, folder, SECRETS | settings | {
            "CATALOG_URL": f"http://127.0.0.1:{catalog.port}", "DATABASE_POOL_SIZE": str(CONNECTIONS),
        }, core=None, output_is_log=False)
        servers.append(orders)
        orders.wait_until_ready("/health/ready")
        database = settings["DATABASE_URL"].rstrip("/") + "/order_db"
        psql(database, "CREATE TABLE bench_orders (LIKE orders INCLUDING ALL);"
                       "CREATE TABLE bench_outbox (LIKE outbox INCLUDING ALL);")
        headers = {"Authorization": "Bearer " + token(SECRETS["JWT_SECRET"])}
        post = post_script(folder)
        inserts = pgbench_script(folder)

        def one(name, _):
            if name == "pgbench":
                # What the relay still has to publish would be paid by pgbench.
                drain(database)
                return run_pgbench(database, inserts, options.seconds)
            before = count(database, "orders")
            result = load.measure(orders, PATH, options.seconds, headers, script=post, pinned=False,
                                  max_refused=MAX_REFUSED)
            committed = count(database, "orders") - before
            if committed < result["requests"]:
                raise Unsuitable(f"{result['requests']} orders were accepted, but only {committed} are in the database")
            return result

        load.wrk(orders, PATH, load.WARM_UP_SECONDS, headers, post, pinned=False, max_refused=MAX_REFUSED)
        rounds = alternate({"vitrine orders": orders, "pgbench": None}, options.rounds, one, say, figure="rps")
    return outcome(case, rounds, RATIOS, NOTES)


def read_settings(backends):
    """What the backends print when they are ready."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if backends.process.poll() is not None:
            raise Unsuitable(f"the backends ended: {backends.last_lines()}")
        text = backends.log.read_text()
        if "\nready" in text:
            return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        time.sleep(0.1)
    raise Unsuitable(f"the backends were not ready after 90 s: {backends.last_lines()}")


def start_catalog(folder):
    """An nginx that knows the prices, in place of the catalog."""
    return start_nginx("catalog", "catalog.conf", folder, replace={"@PRODUCTS@": json.dumps({"items": PRODUCTS})})


def post_script(folder):
    script = Path(folder) / "post.lua"
    body = json.dumps(ORDER, separators=(",", ":"))
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n' f"wrk.body = [[{body}]]\n")
    return script


def pgbench_script(folder):
    script = Path(folder) / "inserts.sql"
    event = {"order_id": USER, "user_id": USER, "items": ITEMS, "total": 299.85,
             "created_at": "2026-01-01T00:00:00.000000Z"}
    script.write_text(PGBENCH_SCRIPT.format(
        user=USER, items=json.dumps(ITEMS, separators=(",", ":")), event=json.dumps(event, separators=(",", ":"))))
    return script


def program(name):
    """A program of the newest PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise Unsuitable(f"{name} is not installed: apt-get install postgresql")
    return str(found[-1])


def psql(database, statement):
    result = subprocess.run([program("psql"), "-qAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement],
                            capture_output=True, text=True, timeout=60)
    if result.returncode != 0:
        raise Unsuitable(f"psql failed: {result.stderr.strip()[-300:]}")
    return result.stdout.strip()


def count(database, table):
    return int(psql(database, f"SELECT count(*) FROM {table}"))


def drain(database):
    deadline = time.monotonic() + DRAIN_TIMEOUT_SECONDS
    while int(psql(database, "SELECT count(*) FROM outbox WHERE published_at IS NULL")) > 0:
        if time.monotonic() > deadline:
            raise Unsuitable(f"the outbox was not published within {DRAIN_TIMEOUT_SECONDS} s")
        time.sleep(0.2)


def run_pgbench(database, script, seconds):
    result = subprocess.run(
        [program("pgbench"), "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "1", "-T", str(seconds), "-f",
         str(script), database],
        capture_output=True, text=True, timeout=seconds + 60)
    rate = re.search(r"tps = ([\d.]+)", result.stdout)
    done = re.search(r"transactions actually processed: (\d+)", result.stdout)
    if result.returncode != 0 or not rate or not done:
        raise Unsuitable(f"pgbench failed: {(result.stderr or result.stdout).strip()[-300:]}")
    return {"cpu_us": 0.0, "rps": float(rate[1]), "requests": int(done[1])}
