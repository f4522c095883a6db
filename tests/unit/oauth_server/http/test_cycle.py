"""A request and its answer, between a connection and an application."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Scope

from oauth_server.http.cycle import Cycle

_OK = [(b"content-length", b"2"), (b"x-one", b"1")]


class _Peer:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.answers = 0
        self.reading = False
        self.writable = asyncio.Event()
        self.writable.set()

    def write(self, data: bytes) -> None:
        self.written.append(data)

    @property
    def is_full(self) -> bool:
        return not self.writable.is_set()

    async def drained(self) -> None:
        await self.writable.wait()

    def resume_reading(self) -> None:
        self.reading = True

    def on_answer(self) -> None:
        self.answers += 1


def _cycle(peer: _Peer, method: str = "POST", **how: Any) -> Cycle:
    scope: Scope = {"method": method}
    defaults = {"keep_alive": True, "expects_continue": False}
    return Cycle(scope, peer, [(b"date", b"today")], **{**defaults, **how})


def _start(headers: list[tuple[bytes, bytes]] = _OK) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": headers}


def _body(body: bytes = b"ok", **more: bool) -> Message:
    return {"type": "http.response.body", "body": body, **more}


async def _answer(cycle: Cycle) -> None:
    await cycle.send(_start())
    await cycle.send(_body())


def test_an_answer_is_one_piece_with_the_headers_of_all() -> None:
    """A head that travels alone costs a system call, and over TLS a record."""

    async def run() -> _Peer:
        peer = _Peer()
        await _answer(_cycle(peer))
        return peer

    peer = asyncio.run(run())
    assert peer.written == [
        b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 2\r\nx-one: 1\r\n\r\nok"
    ]
    assert peer.answers == 1


def test_an_answer_to_head_has_no_body() -> None:
    """RFC 9110 §9.3.2: the length is that of the answer to GET."""

    async def run() -> bytes:
        peer = _Peer()
        await _answer(_cycle(peer, "HEAD"))
        return peer.written[0]

    said = asyncio.run(run())
    assert b"content-length: 2\r\n" in said
    assert said.endswith(b"\r\n\r\n")


def test_the_last_answer_of_a_connection_says_so() -> None:
    """RFC 9112 §9.6, also when it is decided after the head was made."""

    async def run() -> bytes:
        peer = _Peer()
        cycle = _cycle(peer)
        await cycle.send(_start())
        cycle.keep_alive = False
        await cycle.send(_body())
        return peer.written[0]

    assert b"\r\nconnection: close\r\n\r\nok" in asyncio.run(run())


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([*_OK, (b"location", b"/\r\nset-cookie: a=b")], id="rfc9110-5.5-crlf"),
        pytest.param([*_OK, (b"location", b"/\nset-cookie: a=b")], id="rfc9110-5.5-lf"),
        pytest.param([*_OK, (b"location", b"/\r")], id="rfc9110-5.5-cr"),
        pytest.param([*_OK, (b"location", b"/\0")], id="rfc9110-5.5-nul"),
        pytest.param([*_OK, (b"location", b"/\x7f")], id="rfc9110-5.5-del"),
        pytest.param([*_OK, (b"x-two: 2\r\nx-three", b"3")], id="rfc9110-5.1-crlf-in-a-name"),
        pytest.param([(b"x-one", b"1")], id="no-length"),
    ],
)
def test_a_head_that_could_be_read_in_two_ways_is_not_sent(
    headers: list[tuple[bytes, bytes]],
) -> None:
    """Response splitting: a value ends its line and begins another header, or another answer."""

    async def run() -> list[bytes]:
        peer = _Peer()
        with pytest.raises(RuntimeError):
            await _cycle(peer).send(_start(headers))
        return peer.written

    assert asyncio.run(run()) == []


@pytest.mark.parametrize(
    "body", [_body(b"o"), _body(b"okay"), _body(more_body=True)], ids=["short", "long", "more"]
)
def test_a_body_is_as_long_as_announced_and_whole(body: Message) -> None:
    """Of another length, the client would take its rest for the next answer."""

    async def run() -> list[bytes]:
        peer = _Peer()
        cycle = _cycle(peer)
        await cycle.send(_start())
        with pytest.raises(RuntimeError):
            await cycle.send(body)
        return peer.written

    assert asyncio.run(run()) == []


def test_a_body_comes_as_it_arrives_and_then_the_end() -> None:
    """Reading goes on when the application asks for more than is there."""

    async def run() -> tuple[list[Message], bool, bool]:
        peer = _Peer()
        cycle = _cycle(peer)
        cycle.feed(b"one")
        messages = [await cycle.receive()]
        paused = not peer.reading
        asked = asyncio.create_task(cycle.receive())
        await asyncio.sleep(0)
        cycle.feed(b"two")
        cycle.end_body()
        messages.append(await asked)
        await _answer(cycle)
        messages.append(await cycle.receive())
        messages.append(await cycle.receive())
        return messages, paused, peer.reading

    messages, paused, reading = asyncio.run(run())
    assert messages == [
        {"type": "http.request", "body": b"one", "more_body": True},
        {"type": "http.request", "body": b"two", "more_body": False},
        {"type": "http.disconnect"},
        {"type": "http.disconnect"},
    ]
    assert paused
    assert reading


def test_who_left_is_told_of_and_sent_nothing() -> None:
    """Also while the answer waits for what was sent before to leave."""

    async def run() -> tuple[Message, list[bytes], bool]:
        peer = _Peer()
        cycle = _cycle(peer)
        peer.writable.clear()
        answering = asyncio.create_task(_answer(cycle))
        await asyncio.sleep(0)
        cycle.leave()
        peer.writable.set()
        await answering
        await _answer(cycle)
        return await cycle.receive(), peer.written, cycle.answered

    assert asyncio.run(run()) == ({"type": "http.disconnect"}, [], False)


def test_a_client_that_asks_first_is_told_to_go_on_once() -> None:
    """RFC 9110 §10.1.1, when the application wants the body."""

    async def run() -> list[bytes]:
        peer = _Peer()
        cycle = _cycle(peer, expects_continue=True)
        cycle.feed(b"a")
        await cycle.receive()
        cycle.end_body()
        await cycle.receive()
        return peer.written

    assert asyncio.run(run()) == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_a_client_that_asks_first_may_be_answered_at_once() -> None:
    """RFC 9110 §10.1.1: then it need not send the body at all."""

    async def run() -> list[bytes]:
        peer = _Peer()
        cycle = _cycle(peer, expects_continue=True)
        await _answer(cycle)
        await cycle.receive()
        return peer.written

    written = asyncio.run(run())
    assert len(written) == 1
    assert written[0].startswith(b"HTTP/1.1 200 ")


def test_a_request_is_answered_once() -> None:
    """A second answer would be taken for that of the next request."""

    async def run() -> _Peer:
        peer = _Peer()
        cycle = _cycle(peer)
        await _answer(cycle)
        with pytest.raises(RuntimeError):
            await cycle.send(_body())
        with pytest.raises(RuntimeError):
            await cycle.send(_start())
        return peer

    peer = asyncio.run(run())
    assert len(peer.written) == peer.answers == 1


def test_a_body_that_may_or_may_not_come_ends_the_connection() -> None:
    """RFC 9110 §10.1.1; one that has come ends nothing."""

    async def run(*, came: bool) -> bytes:
        peer = _Peer()
        cycle = _cycle(peer, expects_continue=True)
        if came:
            cycle.end_body()
        await _answer(cycle)
        return peer.written[0]

    assert b"connection: close" in asyncio.run(run(came=False))
    assert b"connection: close" not in asyncio.run(run(came=True))
