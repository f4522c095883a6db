"""Serves the application on listening sockets until a signal says stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from oauth_server.http.client_address import FromGateway
from oauth_server.http.connection import Connection
from oauth_server.http.crowd import Crowd
from oauth_server.http.secured import Arrival
from oauth_server.http.turns import Turns

_journal = logging.getLogger("oauth_server")

# The kernel cuts this to net.core.somaxconn.
_BACKLOG = 4096
# asyncio takes its backlog for the number of attempts to accept, too, and without descriptors left
# it makes them all, each with a traceback: https://github.com/python/cpython/issues/151615. This
# and the handler below can go with the last Python that does.
# There have to be many more than handshakes begun in one go (turns.py): who is accepted no faster
# than these waits in the kernel behind a whole burst, whatever its source.
_ACCEPTED_AT_ONCE = 100
_COMPLAINTS_EVERY = 10.0
_GRACEFUL_STOP = 10
# RFC 6797 §7.1: over TLS alone. Two years, as the gateway says.
_OVER_TLS = [("strict-transport-security", "max-age=63072000")]
# For whom the kernel had already handed to this process when the stop came: a handshake and the
# sending of a request. Later ones wait in systemd's socket for the next process.
_LINGER = 0.5


class Listener(uvicorn.Server):
    """One of several servers in one event loop, which leave signals to `serve`."""

    def __init__(self, config: uvicorn.Config, crowd: Crowd) -> None:
        super().__init__(config)
        self._crowd = crowd
        self._turns = Turns()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, with TLS of our own."""
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(self._accept, sock=sock, backlog=_ACCEPTED_AT_ONCE)
            for sock in sockets or []
        ]
        for sock in sockets or []:
            sock.listen(_BACKLOG)
        self.started = True

    def _accept(self) -> asyncio.BaseProtocol:
        tls = self.config.ssl
        make = partial(
            Connection,
            config=self.config,
            server_state=self.server_state,
            scheme="https" if tls else "http",
        )
        return Arrival(make, tls, self._crowd, self._turns) if tls else make()

    def stop_accepting(self) -> None:
        """Leave what comes from now on in the sockets' queues; what was accepted goes on."""
        for server in self.servers:
            server.close()


class Certificate:
    """What TLS shows to who connects; those who are connected keep what they saw."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.front = context
        self._current = context
        # Asked at every handshake, whether the client names a server or not.
        self.front.sni_callback = self._choose

    def replace(self, context: ssl.SSLContext) -> None:
        self._current = context

    def _choose(self, connection: ssl.SSLObject, _name: str, _front: ssl.SSLContext) -> None:
        connection.context = self._current


@dataclass(frozen=True)
class Door:
    """An application on a socket. A unix socket is the gateway's unless it is for monitoring."""

    socket: socket.socket
    app: ASGIApp
    tls: ssl.SSLContext | None = None
    gateway: bool = False


async def serve(
    doors: Sequence[Door],
    *,
    crowd: Crowd,
    on_signal: Mapping[signal.Signals, Callable[[], None]],
    on_ready: Callable[[], None],
    on_stop: Callable[[], None],
) -> None:
    """SIGTERM and SIGINT finish the requests in flight, within a bounded time."""
    listeners = {door.socket: _listener(door, crowd) for door in doors}
    loop = asyncio.get_running_loop()

    def stop() -> None:
        on_stop()
        for listener in listeners.values():
            listener.stop_accepting()
        loop.call_later(_LINGER, leave)

    def leave() -> None:
        for listener in listeners.values():
            listener.should_exit = True

    loop.set_exception_handler(_BriefAboutAccept())
    for number, handler in {signal.SIGTERM: stop, signal.SIGINT: stop, **on_signal}.items():
        loop.add_signal_handler(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP, *on_signal})
    # What is there now stays: the collector need not look at it again.
    gc.freeze()
    running = [
        asyncio.create_task(listener.serve(sockets=[sock])) for sock, listener in listeners.items()
    ]
    # Listening sockets hold what comes before; so this is ready when it begins to accept.
    loop.call_soon(on_ready)
    await asyncio.gather(*running)


class _BriefAboutAccept:
    """One line now and then instead of thousands when no connection can be accepted."""

    def __init__(self) -> None:
        self._next = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "socket" not in context or not isinstance(context.get("exception"), OSError):
            loop.default_exception_handler(context)
        elif loop.time() >= self._next:
            self._next = loop.time() + _COMPLAINTS_EVERY
            _journal.error("no connection can be accepted: %s", context.get("exception"))


def _listener(door: Door, crowd: Crowd) -> Listener:
    secure = door.tls
    return Listener(
        uvicorn.Config(
            FromGateway(door.app) if door.gateway else door.app,
            http=Connection,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=_OVER_TLS if secure else None,
            timeout_graceful_shutdown=_GRACEFUL_STOP,
            ssl_context_factory=(lambda _config, _default: secure) if secure else None,
        ),
        crowd,
    )
