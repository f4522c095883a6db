"""Where Redis is: a unix socket of this host, or another host that proves its name by TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from redis.asyncio import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


class Place(Protocol):
    def connection(self, username: str | None, password: str | None) -> AbstractConnection:
        """One that is not connected yet."""


@dataclass(frozen=True)
class UnixSocket:
    path: Path

    def connection(self, username: str | None, password: str | None) -> AbstractConnection:
        return UnixDomainSocketConnection(
            path=str(self.path), username=username, password=password, **_ALIKE
        )


@dataclass(frozen=True)
class TlsHost:
    """Without `ca_file` one of the system's CAs has to vouch for the name."""

    host: str
    port: int
    ca_file: Path | None = None

    def connection(self, username: str | None, password: str | None) -> AbstractConnection:
        return SSLConnection(
            host=self.host,
            port=self.port,
            username=username,
            password=password,
            ssl_ca_certs=None if self.ca_file is None else str(self.ca_file),
            ssl_min_version=ssl.TLSVersion.TLSv1_3,
            socket_keepalive=True,
            **_ALIKE,
        )


# Any: redis-py types each argument.
_ALIKE: dict[str, Any] = {
    "decode_responses": True,
    "protocol": 2,
    # The bound is over all of it; a client's own would come on top.
    "socket_timeout": None,
    "socket_connect_timeout": None,
    # A retry would hide an outage, and could run a script twice.
    "retry": Retry(NoBackoff(), 0),
    # CLIENT SETINFO is unknown to Redis before 7.2.
    "driver_info": None,
}
