"""Where Redis is: a socket of this host, or TLS to another one."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from redis.asyncio import Connection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection


class Endpoint(Protocol):
    def connection(self, **options: Any) -> AbstractConnection:
        """A connection that is yet to be made; the options are redis-py's own."""
        ...


@dataclass(frozen=True)
class Socket:
    path: Path

    def connection(self, **options: Any) -> AbstractConnection:
        return UnixDomainSocketConnection(path=str(self.path), **options)


class Tls:
    """TLS 1.3; whoever answers must have a certificate of `name` from a CA in `ca_file`."""

    def __init__(self, host: str, port: int, *, name: str, ca_file: Path) -> None:
        """Raises OSError for a `ca_file` that can't be read or holds no certificate."""
        self._host, self._port, self._name = host, port, name
        # One for all: to read the CAs takes longer than the handshake.
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and name
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._context.load_verify_locations(ca_file)

    def connection(self, **options: Any) -> AbstractConnection:
        return _TlsConnection(
            self._context, self._name, host=self._host, port=self._port, **options
        )


class _TlsConnection(Connection):
    """redis-py's own verifies the name that it connects to, and no other."""

    def __init__(self, context: ssl.SSLContext, name: str, **options: Any) -> None:
        super().__init__(**options)
        self._context, self._name = context, name

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {
            **super()._connection_arguments(),
            "ssl": self._context,
            "server_hostname": self._name,
        }
