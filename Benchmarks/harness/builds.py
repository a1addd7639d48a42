"""Building what is measured: our servers in release mode, the Go peers, the virtual environment of FastAPI."""

import os
import shutil
import subprocess
from pathlib import Path

from .machine import Unsuitable
from .servers import PEERS, ROOT

BUILD_TIMEOUT_SECONDS = 1800
GO_LIBRARIES = [
    "github.com/prometheus/client_golang", "go.opentelemetry.io/otel", "github.com/rs/zerolog", "go.uber.org/zap",
]
GO_PACKAGES = (
    "golang golang-github-prometheus-client-golang-dev golang-opentelemetry-otel-dev golang-github-rs-zerolog-dev "
    "golang-go.uber-zap-dev"
)
SWIFT_FLAGS = ["-c", "release", "-Xswiftc", "-cross-module-optimization", "--static-swift-stdlib"]


def run(command, cwd=ROOT, environment=None):
    """Runs a command to its end; its output is shown only when it fails."""
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True,
        timeout=BUILD_TIMEOUT_SECONDS,
    )
    if result.returncode != 0:
        tail = "\n".join((result.stdout + result.stderr).strip().splitlines()[-20:])
        raise Unsuitable(f"'{' '.join(str(part) for part in command)}' failed:\n{tail}")
    return result.stdout.strip()


def swift(product, package=ROOT, build=True):
    """The path of an executable product, built unless told that it is."""
    if build:
        run(["swift", "build", *SWIFT_FLAGS, "--product", product], cwd=package)
    folder = Path(run(["swift", "build", *SWIFT_FLAGS, "--show-bin-path"], cwd=package))
    program = folder / product
    if not program.exists():
        raise Unsuitable(f"{program} is missing: run without --no-build")
    return program


def go(name, folder):
    """One Go peer, built with Debian's Go."""
    if not shutil.which("go"):
        raise Unsuitable("Go is not installed: apt-get install golang")
    program = Path(folder) / f"go-{name}"
    run(["go", "build", "-o", program, PEERS / "go" / f"{name}.go"], cwd=folder)
    return program


def go_telemetry(folder):
    """The peer of telemetry-bench, on the libraries of Debian (which have no module files: GOPATH mode)."""
    sources = Path("/usr/share/gocode")
    if not shutil.which("go") or not all((sources / "src" / path).exists() for path in GO_LIBRARIES):
        raise Unsuitable(f"Go or its telemetry libraries are not installed: apt-get install {GO_PACKAGES}")
    program = Path(folder) / "go-telemetry"
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(sources)}
    run(["go", "build", "-o", program, "."], cwd=PEERS / "go" / "telemetry", environment=environment)
    return program


def fastapi():
    """uvicorn in the virtual environment .vitrine/venv-bench, made when it is missing or out of date."""
    environment = ROOT / ".vitrine" / "venv-bench"
    requirements = PEERS / "fastapi" / "requirements.txt"
    stamp = environment / "requirements.installed"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        environment.parent.mkdir(exist_ok=True)
        run(["python3", "-m", "venv", "--clear", environment])
        run([environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements])
        stamp.write_text(requirements.read_text())
    return environment / "bin" / "uvicorn"
