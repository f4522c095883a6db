"""Starts what is measured: our server and the others, each on a free port of loopback."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import yaml

from benchmarks.load import Request
from oauth_server import passwords
from oauth_server.keys import lifecycle
from oauth_server.keys.pkcs11.source import TokenKeys
from oauth_server.keys.room import QUEUE_PER_PLACE
from oauth_server.keys.transitions import Policy
from oauth_server.models import Algorithm
from oauth_server.protocol import client_secret
from tests.softhsm import SoftHsm

# As many as may wait for a signature: one more would measure refusals.
CONNECTIONS = QUEUE_PER_PLACE * (len(os.sched_getaffinity(0)) + 1)
ROOT = Path(__file__).resolve().parents[1]
RIVALS = Path(__file__).parent / "rivals"
_CLIENT = "machine"
_SECRET = client_secret.generate()
_BASIC = "Basic " + base64.b64encode(f"{_CLIENT}:{_SECRET}".encode()).decode()
# With a user there are pages, too.
_USER = {"username": "alice", "password_hash": passwords.make_hash("correct horse battery")}


@dataclass(frozen=True)
class Running:
    """Processes behind one port, and how a token is fetched there."""

    request: Request
    port: int
    pids: list[int]
    private_key: Path | None = None


@contextmanager
def ours(
    directory: Path, algorithm: Algorithm, *, processes: int = 1, hsm: SoftHsm | None = None
) -> Iterator[Running]:
    """Plain HTTP, so that nobody's TLS is compared; log, metrics and bounds as always.

    With `hsm` the key is on that token.
    """
    site = directory / f"{algorithm.value}{'-token' if hsm else ''}"
    signing: dict[str, object] = {"algorithm": algorithm.value}
    policy = Policy(algorithm)
    if hsm is not None:
        signing["pkcs11"] = hsm.settings
        policy = replace(policy, source=TokenKeys(hsm.access, site / "keys"))
    if not site.exists():
        site.mkdir()
        lifecycle.init(site / "keys", policy, datetime.now(timezone.utc))
    entry = {
        "client_id": _CLIENT, "grant_types": ["client_credentials"],
        "scope": "telemetry:read telemetry:write",
        "client_secret_hash": client_secret.digest(_SECRET),
    }  # fmt: skip
    (site / "clients.json").write_text(json.dumps({"clients": [entry]}))
    (site / "users.json").write_text(json.dumps({"users": [_USER]}))
    settings = {
        "issuer": "https://auth.example.com", "signing": signing,
        "keys_directory": str(site / "keys"), "clients_file": str(site / "clients.json"),
        "users_file": str(site / "users.json"), "log_file": str(site / "log"),
    }  # fmt: skip
    (site / "server.yaml").write_text(yaml.safe_dump(settings))
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'app'}"}
    with ExitStack() as open_sockets:
        port, started = 0, []
        for _ in range(processes):
            # A socket for each, among which the kernel shares connections out: at one socket a
            # process takes all that have come when it looks.
            listening = open_sockets.enter_context(
                socket.create_server(("127.0.0.1", port), reuse_port=True)
            )
            port = listening.getsockname()[1]
            descriptor = listening.fileno()
            command = [
                sys.executable, "-m", "benchmarks.server", str(site / "server.yaml"),
                str(descriptor),
            ]  # fmt: skip
            started.append(subprocess.Popen(command, pass_fds=[descriptor], env=environment))
        with _stopped_at_the_end(started):
            yield Running(
                _request(port, "/token"), _answering(port),
                [process.pid for process in started], site / "keys" / "private_key.pem",
            )  # fmt: skip


@contextmanager
def node(_: Path) -> Iterator[Running]:
    if not (RIVALS / "node" / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=RIVALS / "node", check=True)
    port = _free_port()
    command = ["node", "server.js", str(port), _CLIENT, _SECRET]
    process = subprocess.Popen(
        command, cwd=RIVALS / "node", env={**os.environ, "NODE_ENV": "production"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with _stopped_at_the_end([process]):
        yield Running(_request(port, "/token"), _answering(port), [process.pid])


@contextmanager
def django(directory: Path) -> Iterator[Running]:
    environment = directory / "django"
    python = environment / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
        subprocess.run([uv, "venv", "--quiet", "-p", sys.executable, environment], check=True)
        lock = RIVALS / "django" / "requirements.lock"
        subprocess.run(
            [uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", lock], check=True
        )
    port = _free_port()
    command = [
        str(python), "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1",
        "--threads", "4", "--log-level", "error", "--keep-alive", "30", "server:application",
    ]  # fmt: skip
    variables = {
        "DATABASE": str(directory / "django.sqlite3"), "CLIENT_ID": _CLIENT,
        "CLIENT_SECRET": _SECRET,
    }  # fmt: skip
    process = subprocess.Popen(command, cwd=RIVALS / "django", env={**os.environ, **variables})
    with _stopped_at_the_end([process]):
        _answering(port)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Running(_request(port, "/o/token/"), port, [int(child) for child in children])


def _request(port: int, path: str) -> Request:
    return Request(
        f"http://127.0.0.1:{port}{path}", "grant_type=client_credentials", {"Authorization": _BASIC}
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _answering(port: int) -> int:
    """Waits for the first answer to anything."""
    end = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                if connection.recv(1):
                    return port
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


@contextmanager
def _stopped_at_the_end(processes: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)
