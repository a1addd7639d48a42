"""Starting the servers that are compared, and stopping them whatever happens."""

import http.client
import os
import resource
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from .machine import SERVER_CORE, Unsuitable

START_TIMEOUT_SECONDS = 20
STOP_TIMEOUT_SECONDS = 5
ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "Benchmarks" / "peers"
# Only this machine sees them, and only while a case runs.
SECRETS = {"JWT_SECRET": "benchmark-benchmark-benchmark-0001", "IDENTITY_SECRET": "benchmark-benchmark-benchmark-0002"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One running server."""

    def __init__(self, name, process, port, log):
        self.name = name
        self.process = process
        self.port = port
        self.log = log

    @property
    def pid(self):
        return self.process.pid

    def at(self, port):
        """The same process at another of its ports."""
        return Server(self.name, self.process, port, self.log)

    def wait_until_ready(self, path, headers=None):
        """Waits for the first answer of status 200, and returns its body."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        problem = "no answer"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Unsuitable(f"{self.name} ended with status {self.process.returncode}: {self.last_lines()}")
            try:
                status, body = get(self.port, path, headers)
                if status == 200:
                    return body
                problem = f"status {status}: {body[:200]!r}"
            except OSError as error:
                problem = str(error)
            time.sleep(0.05)
        raise Unsuitable(f"{self.name} was not ready after {START_TIMEOUT_SECONDS} s ({problem}): {self.last_lines()}")

    def last_lines(self):
        try:
            return " / ".join(self.log.read_text(errors="replace").strip().splitlines()[-3:]) or "its log is empty"
        except OSError:
            return "it has no log"

    def stop(self):
        if self.process.poll() is None:
            _signal_group(self.process, signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        # What the leader left behind in its group goes with it.
        _signal_group(self.process, signal.SIGKILL)
        self.process.wait()


def _signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def get(port, path, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP answer: {error!r}") from error
    finally:
        connection.close()


def start(name, command, port, folder, environment=None, core=SERVER_CORE, output_is_log=True,
          output=None, file_bytes=None):
    """Starts a command in a process group of its own.

    core: None leaves it unpinned.
    output_is_log: false sends standard output to /dev/null, for servers that write a line for each request.
    output: a descriptor for standard output instead.
    file_bytes: no file grows beyond; to write more fails.
    """
    def prepare():
        if core is not None:
            os.sched_setaffinity(0, {core})
        if file_bytes is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    log = Path(folder) / f"{name.replace(' ', '-').replace('/', '-')}.log"
    with open(log, "wb") as errors:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output if output is not None else errors if output_is_log else subprocess.DEVNULL,
            stderr=errors,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            preexec_fn=prepare,
        )
    return Server(name, process, port, log)


@contextmanager
def running():
    """A list to put started servers in; all are stopped at the end, the last first."""
    servers = []
    try:
        yield servers
    finally:
        for server in reversed(servers):
            server.stop()


def start_nginx(name, configuration, folder, core=SERVER_CORE, upstream=0, replace=None):
    port = free_port()
    own = Path(folder) / f"nginx-{port}"
    own.mkdir()
    text = (PEERS / "nginx" / configuration).read_text()
    values = {"@PORT@": port, "@UPSTREAM@": upstream, "@FOLDER@": own} | (replace or {})
    for key, value in values.items():
        text = text.replace(key, str(value))
    (own / "nginx.conf").write_text(text)
    command = ["nginx", "-p", own, "-c", own / "nginx.conf", "-e", own / "nginx-error.log"]
    return start(name, command, port, own, core=core)
