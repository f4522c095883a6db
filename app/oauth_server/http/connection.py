"""One HTTP/1 connection: uvicorn's on llhttp, with deadlines, bounds and no second reading."""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_REQUEST_DEADLINE = 15.0
_KEEP_ALIVE = 5.0
_CLOSE_DEADLINE = 2.0
_MAX_HEAD = 16 * 1024
_MAX_HEADERS = 64
# Sizes, extensions and trailers of chunks, all together.
_MAX_FRAMING = 16 * 1024
_MAX_PIPELINED = 16
_REFUSAL = "This is not a request that can be understood in one way only."


class _RefusedError(Exception):
    """Well-formed for the parser, and not for us."""


class Connection(HttpToolsProtocol):
    """Whoever connects must have sent a whole request by a deadline, and cannot prevent a close.

    uvicorn itself waits for ever for a request that trickles in, be it head or body, and so can
    be filled up by a few slow clients. asyncio waits long, on Python 3.10 for ever, for the other
    side to agree to the end of TLS, and with it a stop would.

    llhttp refuses what two readers could understand differently (two lengths, a length beside
    chunks, a bare LF, folded lines, NUL). What it lets through is refused here: more than one
    Host, other versions, other transfer codings, and anything without a bound.
    """

    _answer: _Answer
    _timer: asyncio.TimerHandle | None = None
    _running: RequestResponseCycle | None = None
    _refused = False
    # When to end the connection unless something happens: the client's time, not ours.
    _due: float | None = None
    # Of the request that is being received: where it is, and what it took so far.
    _receiving = True
    _in_head = True
    _completed = False
    _head = 0
    _framing = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        super().connection_made(transport)
        self._answer = _Answer(transport)
        # uvicorn asks the socket, which has forgotten its peer if that is gone already.
        peer = transport.get_extra_info("peername")
        if self.client is None and isinstance(peer, tuple):
            self.client = (str(peer[0]), int(peer[1]))
        self._due = self.loop.time() + _REQUEST_DEADLINE
        self._watch()

    def data_received(self, data: bytes) -> None:
        if not self._receiving:
            self._begin()
        # A head is read no further than its bound, whatever else has arrived with it.
        while data and not self._refused:
            part = data[: _MAX_HEAD - self._head] if self._in_head else data
            data = data[len(part) :]
            self._completed = False
            self._framing += 0 if self._in_head else len(part)
            try:
                self.parser.feed_data(part)
                self._count(part)
            except (httptools.HttpParserError, _RefusedError):
                self._refuse()
            except httptools.HttpParserUpgrade:
                # We speak nothing else, so the request is answered, and nothing after it is.
                self._refused = True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        super().shutdown()
        self._finish_closing()

    # What the parser finds; an exception in these becomes a HttpParserError of feed_data's.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._receiving:
            self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:  # RFC 9110 §6.5.1: a trailer must not pass for a header
            return
        if len(self.headers) >= _MAX_HEADERS:
            raise _RefusedError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= _MAX_PIPELINED or not self._is_clear():
            raise _RefusedError
        self._in_head = False
        super().on_headers_complete()
        self.cycle.transport = self._answer  # type: ignore[assignment] # all that it uses
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._framing -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._receiving, self._in_head, self._completed = False, True, True
        self._head = self._framing = 0
        self._due = None

    def on_response_complete(self) -> None:
        """As uvicorn's, without a timer for each request."""
        self.server_state.total_requests += 1
        self._answer.flush()
        if self.transport.is_closing():
            self._finish_closing()
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self._receiving:
            self._due = self.loop.time() + _KEEP_ALIVE

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_clear(self) -> bool:
        """Nothing in the head can be read in two ways."""
        version = self.parser.get_http_version()
        names = [name for name, _ in self.headers]
        if b"#" in self.url:  # RFC 9112 §3.2: no form of a target has a fragment
            return False
        if b"transfer-encoding" in names:  # RFC 9112 §6.1: of the codings we know one alone
            codings = [
                value.lower() for name, value in self.headers if name == b"transfer-encoding"
            ]
            if version != "1.1" or codings != [b"chunked"]:
                return False
        hosts = names.count(b"host")  # RFC 9112 §3.2
        return hosts == 1 if version == "1.1" else version == "1.0" and hosts <= 1

    def _count(self, part: bytes) -> None:
        """What began in the middle of a part is counted from the next one on."""
        if self._in_head:
            if not self._completed:
                self._head += len(part)
                if self._head >= _MAX_HEAD:
                    raise _RefusedError
        elif self._framing > _MAX_FRAMING and not self.cycle.response_complete:
            raise _RefusedError

    def _refuse(self) -> None:
        """400, unless the answer to an earlier request comes first, or has begun already."""
        self._refused = True
        running = self._running
        if running is None or running.response_complete:
            self.send_400_response(_REFUSAL)
        elif not running.more_body:
            running.keep_alive = False
            self.pipeline.clear()
        elif not running.response_started:
            self.send_400_response(_REFUSAL)
        else:
            self.transport.abort()
        self._finish_closing()

    def _finish_closing(self) -> None:
        if self.transport.is_closing():
            self.loop.call_later(_CLOSE_DEADLINE, self.transport.abort)

    def _begin(self) -> None:
        self._receiving = True
        self._due = self.loop.time() + _REQUEST_DEADLINE

    def _watch(self) -> None:
        """One timer for all of the connection's life, which looks often enough."""
        now = self.loop.time()
        if self._due is not None and now >= self._due:
            if self._receiving:
                self.transport.abort()
            else:
                self.transport.close()
                self._finish_closing()
        elif not self.transport.is_closing():
            at = now + _KEEP_ALIVE
            self._timer = self.loop.call_at(min(at, self._due or at), self._watch)


class _Answer:
    """Sends the head of an answer together with its body: one system call, one TLS record."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 1") and not self._head:
            self._head = data
        else:
            self._transport.write(self._head + data)
            self._head = b""

    def flush(self) -> None:
        """Of an answer without a body."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
