"""What a connection does when nothing can be seen of it from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override
from uvicorn.server import ServerState

from oauth_server.http.connection import Connection

_GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
_POST = b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


class _Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.reading = True

    @override
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1)

    @override
    def write(self, data: Any) -> None:
        self.written += data

    @override
    def close(self) -> None:
        self.closed = True

    @override
    def is_closing(self) -> bool:
        return self.closed

    @override
    def abort(self) -> None:
        self.closed = True

    @override
    def pause_reading(self) -> None:
        self.reading = False

    @override
    def resume_reading(self) -> None:
        self.reading = True


def _connected(app: ASGIApp) -> tuple[Connection, _Transport, ServerState]:
    config = uvicorn.Config(app, http=Connection, ws="none", lifespan="off", log_config=None)
    config.load()
    state, transport = ServerState(), _Transport()
    connection = Connection(config=config, server_state=state, scheme="http")
    connection.connection_made(transport)
    return connection, transport, state


async def _answer(send: Send) -> None:
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def _until(reached: Callable[[], bool]) -> None:
    for _ in range(100):
        if reached():
            return
        await asyncio.sleep(0)
    pytest.fail("it did not come to that")


def test_what_waits_behind_the_last_answer_is_not_begun() -> None:
    """Its answer could not be sent, and what it does would be done."""
    begun: list[str] = []

    async def run() -> _Transport:
        first = asyncio.Event()

        async def app(scope: Scope, _receive: Receive, send: Send) -> None:
            begun.append(scope["path"])
            await first.wait()
            await _answer(send)

        connection, transport, state = _connected(app)
        connection.data_received(_GET % b"one" + _GET % b"two")
        await _until(lambda: bool(begun))
        connection.data_received(b"this is no request\r\n\r\n")
        first.set()
        await _until(lambda: not state.tasks)
        return transport

    transport = asyncio.run(run())
    assert begun == ["/one"]
    assert transport.written.count(b"HTTP/1.1 200 ") == 1
    assert b"connection: close" in transport.written
    assert transport.closed


def test_a_body_that_comes_after_its_answer_is_kept_nowhere_and_holds_up_no_other() -> None:
    """Who refuses a body early still has it arrive."""

    async def run() -> tuple[_Transport, bool]:
        async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
            await _answer(send)

        connection, transport, state = _connected(app)
        size = 200_000
        connection.data_received(_POST % size)
        await _until(lambda: bool(transport.written) and not state.tasks)
        for _ in range(20):
            connection.data_received(b"x" * (size // 20))
        reading = transport.reading
        connection.data_received(_GET % b"next")
        await _until(lambda: transport.written.count(b"HTTP/1.1 200 ") == 2)
        return transport, reading

    transport, reading = asyncio.run(run())
    assert reading
    assert not transport.closed


def test_an_application_that_ends_without_an_answer_ends_the_connection() -> None:
    """The client would wait for one, and the next request for its turn."""

    async def run() -> _Transport:
        async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
            return

        connection, transport, state = _connected(app)
        connection.data_received(_GET % b"one")
        await _until(lambda: transport.closed)
        await _until(lambda: not state.tasks)
        return transport

    assert asyncio.run(run()).written == b""
