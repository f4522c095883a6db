"""Starts the real server as systemd does: listening sockets from descriptor 3 on, and no more."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

APP = Path(__file__).resolve().parents[2] / "app"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(APP), "PYTHONUNBUFFERED": "1"}

# Puts the sockets where LISTEN_FDS says, and names itself in LISTEN_PID: exec keeps the pid.
_ACTIVATE = """
import fcntl, os, sys
sockets = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1].split(",")]
for target, fd in enumerate(sockets, 3):
    os.dup2(fd, target)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)))
os.closerange(3 + len(sockets), 1000)
os.execv(sys.executable, [sys.executable, "-m", "oauth_server", *sys.argv[2:]])
"""


@dataclass(frozen=True)
class Site:
    """What stands on a host: keys, certificate, clients, users; shared by many servers."""

    keys: Path
    certificate: Path
    certificate_key: Path
    clients: Path
    users: Path


@dataclass
class Server:
    """A running server. `tcp` speaks TLS, `unix` plain HTTP."""

    process: subprocess.Popen[bytes]
    directory: Path
    tcp: tuple[str, int]
    unix: Path
    certificate: Path
    metrics: tuple[str, int]
    notified: socket.socket

    @property
    def log_file(self) -> Path:
        return self.directory / "log"

    @property
    def journal(self) -> str:
        return (self.directory / "journal").read_text()

    def log(self) -> list[str]:
        return self.log_file.read_text("ascii").splitlines()

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def client(self) -> httpx.Client:
        """Over TLS."""
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.tcp[1]}", verify=self.tls(), timeout=20
        )

    def gateway(self) -> httpx.Client:
        """As nginx: over the unix socket."""
        transport = httpx.HTTPTransport(uds=str(self.unix))
        return httpx.Client(base_url="http://gateway", transport=transport, timeout=20)

    def monitoring(self) -> httpx.Client:
        """As Prometheus: plain HTTP on loopback."""
        return httpx.Client(base_url=f"http://127.0.0.1:{self.metrics[1]}", timeout=20)

    def connect(self) -> socket.socket:
        """A plain connection to send whatever to."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        connection.connect(str(self.unix))
        return connection

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def serving(directory: Path, site: Site, **settings: Any) -> Iterator[Server]:
    """A server that is ready, and gone afterwards."""
    # A path of a unix socket has at most 107 bytes, and temporary directories are deep.
    with (
        tempfile.TemporaryDirectory(prefix="oauth-server-") as short,
        socket.socket(socket.AF_INET) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_INET) as metrics,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified,
    ):
        tcp.bind(("127.0.0.1", 0))
        metrics.bind(("127.0.0.1", 0))
        unix.bind(f"{short}/http.sock")
        for listening in (tcp, unix, metrics):
            listening.listen(100)
        notified.bind(f"{short}/notify.sock")
        notified.settimeout(20)
        with (directory / "journal").open("wb") as journal:
            process = subprocess.Popen(
                activated(
                    [tcp, unix, metrics],
                    "serve",
                    "--config",
                    str(configure(directory, site, **settings)),
                ),
                pass_fds=[tcp.fileno(), unix.fileno(), metrics.fileno()],
                env={
                    **ENVIRONMENT,
                    "NOTIFY_SOCKET": f"{short}/notify.sock",
                    "LISTEN_FDNAMES": f"{'oauth-server.socket:' * 2}metrics",
                },
                stdout=journal,
                stderr=journal,
            )
        server = Server(
            process, directory, tcp.getsockname(), Path(short) / "http.sock", site.certificate,
            metrics.getsockname(), notified,
        )  # fmt: skip
        try:
            assert notified.recv(100) == b"READY=1", server.journal
            yield server
        finally:
            process.kill()
            process.wait(20)


def activated(sockets: Sequence[socket.socket], *arguments: str) -> list[str]:
    descriptors = ",".join(str(listening.fileno()) for listening in sockets)
    return [sys.executable, "-c", _ACTIVATE, descriptors, *arguments]


def configure(directory: Path, site: Site, **settings: Any) -> Path:
    path = directory / "server.yaml"
    document = {
        "issuer": "https://127.0.0.1",
        "keys_directory": str(site.keys),
        "clients_file": str(site.clients),
        "users_file": str(site.users),
        "certificate": str(site.certificate),
        "certificate_key": str(site.certificate_key),
        "log_file": str(directory / "log"),
        "state_directory": str(directory),
        **settings,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def wait_for(claim: Any, seconds: float = 10) -> None:
    """Until the claim holds."""
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
