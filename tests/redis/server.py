"""A Redis with the deploy's own configuration, on a private socket."""

from __future__ import annotations

import hashlib
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis as Client
from redis.exceptions import RedisError

from oauth_server.store.interface import Observer
from oauth_server.store.redis import RedisStore
from oauth_server.store.redis.endpoint import Socket
from roles.files import render
from tests.redis.programs import Program

PASSWORD = "a password of 256 bits"
_EXAMINER = "examiner"


@dataclass(frozen=True)
class Tls:
    """A port on loopback beside the socket; both files are PEM."""

    port: int
    certificate: Path
    key: Path


class Server:
    """A child process, killed by its pid. What it has written stays, and `start` reads it again."""

    def __init__(
        self, directory: Path, program: Program, maxmemory: str = "100mb", tls: Tls | None = None
    ) -> None:
        self.directory = directory
        self.socket = directory / "redis.sock"
        self._program = program
        acl = render(
            "redis/users.acl.j2", password_sha256=hashlib.sha256(PASSWORD.encode()).hexdigest()
        )
        # The server's user must not see what tests look at.
        (directory / "users.acl").write_text(f"{acl}user {_EXAMINER} on nopass ~* &* +@all\n")
        (directory / "redis.conf").write_text(
            render("redis/redis.conf.j2", acl=directory / "users.acl", maxmemory=maxmemory, tls=tls)
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, wait: bool = True) -> Server:
        """`arguments` are Redis' own, over those of the deploy."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("redis-server", str(self.directory / "redis.conf")),
                    *("--unixsocket", str(self.socket), "--dir", str(self.directory), *arguments),
                ],
                executable=self._program.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                restore_signals=False,  # Python ignores SIGXFSZ: a full disk is an error to see
            )
        deadline = time.monotonic() + 20
        while wait:
            try:
                with self.examine() as client:
                    client.ping()
                return self
            except RedisError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((self.directory / "log").read_text()) from None
                time.sleep(0.01)
        return self

    def kill(self) -> None:
        """As a power cut would: no last word, nothing flushed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def send(self, signal: int) -> None:
        self._running.send_signal(signal)

    def fill_disk(self) -> None:
        """Let what Redis writes grow by a few kilobytes, and no more: as on a full disk."""
        size = max(path.stat().st_size for path in self.directory.rglob("*.aof")) + 20_000
        resource.prlimit(self._running.pid, resource.RLIMIT_FSIZE, (size, size))

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def examine(self) -> Any:  # redis-py's own types are of no help here
        """A client that may do everything; the caller closes it."""
        return Client(
            unix_socket_path=str(self.socket),
            username=_EXAMINER,
            password="-",
            decode_responses=True,
            socket_timeout=5,
        )

    def store(self, *, password: str = PASSWORD, observer: Observer | None = None) -> RedisStore:
        return RedisStore(Socket(self.socket), "oauth_server", password, observer)
