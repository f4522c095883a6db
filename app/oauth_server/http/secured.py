"""TLS on a connection: not before its client has said something, and in turns."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from asyncio import sslproto
from collections.abc import Callable

from oauth_server.http.connection import Connection
from oauth_server.http.crowd import Crowd, source_of
from oauth_server.http.turns import Turns

# For the first byte, and from it to the end of the handshake.
_HELLO_DEADLINE = 5
_HANDSHAKE_DEADLINE = 10
# The kernel forgets the connection at once, and keeps nothing to be sent again.
_RESET = struct.pack("ii", 1, 0)


class Arrival(asyncio.Protocol):
    """Who has just been accepted, and what becomes of it, for the crowd.

    `create_server(ssl=…)` makes all that TLS needs for whoever connects, and makes it in the order
    in which they came. Here who says nothing costs next to nothing, and who sends a ClientHello
    waits behind the few of its own source and no others: a handshake takes longer than all else
    that a stranger can ask for (CWE-400).
    """

    def __init__(
        self,
        make: Callable[[], Connection],
        context: ssl.SSLContext,
        crowd: Crowd,
        turns: Turns,
    ) -> None:
        self._make = make
        self._context = context
        self._crowd = crowd
        self._turns = turns
        self._connection: Connection | None = None
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle
        self._source = ""
        self._first: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # it is one
        self._transport = transport
        peer = transport.get_extra_info("peername")
        host = str(peer[0]) if peer else ""
        self._source = source_of(host) or ""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_HELLO_DEADLINE, self.turn_away)
        if not self._crowd.enter(self, host):
            self.turn_away()

    def data_received(self, data: bytes) -> None:
        if self._first is None:
            self._first = data
            self._transport.pause_reading()
            self._turns.ask(self._source, self._begin)
        else:  # of Python 3.10, which reads on for a moment
            self._first += data

    def connection_lost(self, _error: Exception | None) -> None:
        self._timer.cancel()
        self._crowd.leave(self)

    @property
    def answers(self) -> int:
        return 0 if self._connection is None else self._connection.answers

    @property
    def is_busy(self) -> bool:
        return self._connection is not None and self._connection.is_busy

    def turn_away(self) -> None:
        plain = self._transport.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def _begin(self) -> bool:
        """Start TLS with what has come; tell whether anybody is there for it."""
        if self._transport.is_closing():
            return False
        if _has_left(self._transport):
            self._transport.abort()
            return False
        self._timer.cancel()
        self._connection = self._make()
        tls = _Secured(self._connection, self._context, self._crowd, self)
        self._transport.set_protocol(tls)
        tls.connection_made(self._transport)
        tls.take(self._first or b"")
        self._transport.resume_reading()
        return True


class _Secured(sslproto.SSLProtocol):
    """asyncio's own TLS; the buffer of each connection is as large as a TLS record.

    From Python 3.11 on it is 256 KB otherwise: 10,000 silent connections took 2.1 GB.
    """

    max_size = 16 * 1024

    def __init__(
        self, connection: Connection, context: ssl.SSLContext, crowd: Crowd, guest: Arrival
    ) -> None:
        super().__init__(
            asyncio.get_running_loop(),
            connection,
            context,
            None,  # type: ignore[arg-type] # nobody waits for the handshake
            server_side=True,
            ssl_handshake_timeout=_HANDSHAKE_DEADLINE,
        )
        self._crowd = crowd
        self._guest = guest

    def take(self, data: bytes) -> None:
        """What was read before it was there; from Python 3.11 on it reads into its own buffer."""
        if not isinstance(self, asyncio.BufferedProtocol):
            self.data_received(data)
            return
        while data:
            buffer = memoryview(self.get_buffer(len(data)))
            part, data = data[: len(buffer)], data[len(buffer) :]
            buffer[: len(part)] = part
            self.buffer_updated(len(part))

    def connection_lost(self, exc: BaseException | None) -> None:
        self._crowd.leave(self._guest)
        super().connection_lost(exc)


def _has_left(transport: asyncio.Transport) -> bool:
    """Whether the other side has ended the connection, behind what it sent."""
    with transport.get_extra_info("socket").dup() as plain:
        try:
            return bool(plain.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"")
        except BlockingIOError:
            return False
        except OSError:
            return True
