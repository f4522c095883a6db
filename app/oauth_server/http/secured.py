"""TLS on a connection, from the moment that it is accepted."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from asyncio import sslproto

from oauth_server.http.connection import Connection
from oauth_server.http.crowd import Crowd

_HANDSHAKE_DEADLINE = 10
# The kernel forgets the connection at once, and keeps nothing to be sent again.
_RESET = struct.pack("ii", 1, 0)


class Secured(sslproto.SSLProtocol):
    """asyncio's own TLS, for which a connection counts before its handshake does.

    What `create_server(ssl=…)` would make, but for two things: whoever connects is in the crowd
    before TLS has cost anything, and the buffer that asyncio keeps for each connection (from
    Python 3.11 on) is as large as a TLS record and not 256 KB: 10,000 silent connections took
    2.1 GB.
    """

    max_size = 16 * 1024

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: Connection,
        context: ssl.SSLContext,
        crowd: Crowd,
    ) -> None:
        super().__init__(
            loop,
            connection,
            context,
            None,  # type: ignore[arg-type] # nobody waits for the handshake
            server_side=True,
            ssl_handshake_timeout=_HANDSHAKE_DEADLINE,
        )
        self._inner = connection
        self._crowd = crowd
        self._raw: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a TCP socket
        self._raw = transport
        peer = transport.get_extra_info("peername")
        if self._crowd.enter(self, str(peer[0]) if peer else ""):
            super().connection_made(transport)
        else:
            self.turn_away()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._crowd.leave(self)
        super().connection_lost(exc)

    @property
    def answers(self) -> int:
        return self._inner.answers

    @property
    def is_busy(self) -> bool:
        return self._inner.is_busy

    def turn_away(self) -> None:
        raw = self._raw.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._raw.abort()
