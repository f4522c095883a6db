"""One request and its answer, between a connection and an application (ASGI 3)."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Protocol

from starlette.types import Message, Scope

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
# RFC 9110 §5.5: what could be taken for the end of a header; its real ends are counted.
_CONTROL = bytes({*range(0x20), 0x7F} - {*b"\t\r\n"})
_WITHOUT = bytes.maketrans(_CONTROL, b"?" * len(_CONTROL))


class Peer(Protocol):
    """The connection that a request came by."""

    def write(self, data: bytes) -> None: ...

    @property
    def is_full(self) -> bool:
        """What was written before is not yet on its way."""

    async def drained(self) -> None:
        """Return when it is."""

    def resume_reading(self) -> None: ...

    def on_answer(self) -> None:
        """The answer to the request that runs is written."""


class Cycle:
    """Holds the body until the application asks for it, and sends a whole answer at once.

    An answer has a Content-Length and one body: one system call and one TLS record, and no other
    framing that could be got wrong.
    """

    __slots__ = (
        "_body", "_expected", "_head", "_headers_of_all", "_news", "_peer", "_waiter", "answered",
        "expects_continue", "gone", "keep_alive", "more_body", "scope",
    )  # fmt: skip

    def __init__(
        self,
        scope: Scope,
        peer: Peer,
        headers_of_all: list[tuple[bytes, bytes]],
        *,
        keep_alive: bool,
        expects_continue: bool,
    ) -> None:
        self.scope = scope
        self.keep_alive = keep_alive
        self.expects_continue = expects_continue
        self.more_body = True
        self.answered = False
        self.gone = False
        self._peer = peer
        self._headers_of_all = headers_of_all
        self._body = b""
        self._news = False
        self._waiter: asyncio.Future[None] | None = None
        self._head: list[bytes] | None = None
        self._expected = 0

    @property
    def waiting_body(self) -> int:
        return len(self._body)

    def feed(self, body: bytes) -> None:
        self._body += body
        self.wake()

    def end_body(self) -> None:
        self.more_body = False
        self.wake()

    def leave(self) -> None:
        """The client went away."""
        self.gone = True
        self.wake()

    def wake(self) -> None:
        self._news = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> Message:
        if self.expects_continue and not self.gone:
            self.expects_continue = False
            self._peer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._news:
            self._peer.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._waiter = None
        self._news = False
        if self.gone or self.answered:
            self._news = True
            return {"type": "http.disconnect"}
        body, self._body = self._body, b""
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        if self.gone:
            return
        if self._head is None:
            self._begin(message["status"], message["headers"])
            return
        body = message.get("body")
        if self.answered or body is None or len(body) != self._expected or message.get("more_body"):
            raise RuntimeError("an answer has the one body that its Content-Length announces")
        if self._peer.is_full:
            await self._peer.drained()
            if self.gone:
                return
        self._head.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        if self.scope["method"] != "HEAD":
            self._head.append(body)
        self.answered = True
        self._peer.write(b"".join(self._head))
        self.wake()
        self._peer.on_answer()

    def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        lines = [*self._headers_of_all, *headers]
        length = dict(lines).get(b"content-length")
        text = b"\r\n".join([*map(b": ".join, lines), b""])
        ends = text.count(b"\r"), text.count(b"\n")
        if length is None or ends != (len(lines), len(lines)) or text.translate(_WITHOUT) != text:
            raise RuntimeError("an answer has a Content-Length, and headers of one line each")
        if self.expects_continue and self.more_body:
            # RFC 9110 §10.1.1: whether what comes next is the body nobody knows.
            self.keep_alive = False
        self.expects_continue = False
        self._expected = int(length)
        self._head = [_STATUS_LINES[status], text]
