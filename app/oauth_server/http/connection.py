"""One HTTP/1 connection: llhttp's parser, with deadlines, bounds and no second reading."""

from __future__ import annotations

import asyncio
from collections import deque
from operator import itemgetter
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn import Config
from uvicorn.server import ServerState

from oauth_server.http.cycle import Cycle

_REQUEST_DEADLINE = 15.0
_KEEP_ALIVE = 5.0
_CLOSE_DEADLINE = 2.0
# For a client to read of what it was sent, when no more fits on its way.
_DRAIN_DEADLINE = 10.0
_MAX_HEAD = 16 * 1024
_MAX_HEADERS = 64
# Sizes, extensions and trailers of chunks, all together.
_MAX_FRAMING = 16 * 1024
_MAX_PIPELINED = 16
# More of a body than this is left in the kernel until the application asks for it.
_MAX_WAITING_BODY = 64 * 1024
_REFUSAL = b"This is not a request that can be understood in one way only."
_REFUSED = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(_REFUSAL), _REFUSAL)
)
_NAME = itemgetter(0)


class _RefusedError(Exception):
    """Well-formed for the parser, and not for us."""


class Connection(asyncio.Protocol):
    """Whoever connects must have sent a whole request by a deadline, and cannot prevent a close.

    It takes the place of uvicorn's protocol, which waits for ever for a request that trickles in,
    be it head or body, and so can be filled up by a few slow clients, and which costs a token a
    tenth of its time. asyncio waits long, on Python 3.10 for ever, for the other side to agree to
    the end of TLS, and with it a stop would.

    llhttp refuses what two readers could understand differently (two lengths, a length beside
    chunks, a bare LF, folded lines, NUL). What it lets through is refused here: more than one
    Host, other versions, other transfer codings, and anything without a bound.
    """

    def __init__(self, *, config: Config, server_state: ServerState, scheme: str) -> None:
        """uvicorn's server counts and ends connections and tasks by `server_state`."""
        self._app = config.loaded_app
        self._state = server_state
        self._scheme = scheme
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        # The request before a close is answered, whatever has arrived after it.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle
        self._refused = False
        self._closing = False
        # When to end the connection unless something happens: the client's time, not ours.
        self._due: float | None = None
        self._reading = True
        self._writable: asyncio.Future[None] | None = None
        self._client: tuple[str, int] | None = None
        self._server: tuple[str, int] | None = None
        # What is answered now, and what waits for its turn, the latest of which is received.
        self._running: Cycle | None = None
        self._waiting: deque[Cycle] = deque()
        self._latest: Cycle | None = None
        # Of the request that is being received: what it is, where it is, what it took so far.
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._receiving = True
        self._in_head = True
        self._completed = False
        self._head = 0
        self._framing = 0
        self.answers = 0

    @property
    def is_busy(self) -> bool:
        """Has sent a whole request, and waits for its answer."""
        return self._running is not None and not self._running.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # it is one
        self._transport = transport
        self._state.connections.add(self)  # type: ignore[arg-type] # all that it calls is there
        self._client = _address(transport, "peername")
        self._server = _address(transport, "sockname")
        self._due = self._loop.time() + _REQUEST_DEADLINE
        self._watch()

    def data_received(self, data: bytes) -> None:
        if not self._receiving:
            self._begin()
        # A head is read no further than its bound, whatever else has arrived with it.
        while data and not (self._refused or self._closing):
            part = data[: _MAX_HEAD - self._head if self._in_head else _MAX_HEAD]
            data = data[len(part) :]
            self._completed = False
            self._framing += 0 if self._in_head else len(part)
            try:
                self._parser.feed_data(part)
                self._count(part)
            except (httptools.HttpParserError, _RefusedError):
                self._refuse()
            except httptools.HttpParserUpgrade:
                # We speak nothing else, so the request is answered, and nothing after it is.
                self._refused = True

    def eof_received(self) -> None:
        """asyncio closes, too, but would wait for ever for who reads nothing."""
        self._close()

    def connection_lost(self, _error: Exception | None) -> None:
        self._closing = True
        self._timer.cancel()
        self._state.connections.discard(self)
        self._waiting.clear()
        for cycle in (self._running, self._latest):
            if cycle is not None:
                cycle.leave()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    def shutdown(self) -> None:
        """Ask for the end of the connection, after the answer to what was received (uvicorn's)."""
        if self._latest is None or self._latest.answered:
            self._close()
        else:
            self._latest.keep_alive = False

    # What the parser finds; an exception in these becomes a HttpParserError of feed_data's.

    def on_message_begin(self) -> None:
        self._url, self._headers = b"", []
        if not self._receiving:
            self._begin()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:  # RFC 9110 §6.5.1: a trailer must not pass for a header
            return
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        version = self._parser.get_http_version()
        names = [*map(_NAME, self._headers)]
        if (
            len(names) > _MAX_HEADERS
            or len(self._waiting) >= _MAX_PIPELINED
            or not self._is_clear(version, names)
        ):
            raise _RefusedError
        self._latest = Cycle(
            self._scope(version),
            self,
            self._state.default_headers,
            keep_alive=(
                version == "1.1"
                and self._parser.should_keep_alive()
                and not self._parser.should_upgrade()
            ),
            expects_continue=(  # RFC 9110 §10.1.1: to 1.0 that would be the answer
                b"expect" in names
                and version == "1.1"
                and self._values(b"expect") == [b"100-continue"]
            ),
        )
        self._in_head = False
        if self._running is None:
            self._start(self._latest)
        else:
            self._pause_reading()
            self._waiting.append(self._latest)

    def on_body(self, body: bytes) -> None:
        self._framing -= len(body)
        cycle = self._latest
        if cycle is None or cycle.answered:
            return
        cycle.feed(body)
        if cycle.waiting_body > _MAX_WAITING_BODY:
            self._pause_reading()

    def on_message_complete(self) -> None:
        if self._latest is not None:
            self._latest.end_body()
        self._receiving, self._in_head, self._completed = False, True, True
        self._head = self._framing = 0
        answered = self._running is None  # before its end had come
        self._due = self._loop.time() + _KEEP_ALIVE if answered else None

    # What a request's cycle asks for.

    def write(self, data: bytes) -> None:
        if not self._closing:
            self._transport.write(data)

    @property
    def is_full(self) -> bool:
        return self._writable is not None

    async def drained(self) -> None:
        if self._writable is not None:
            timer = self._loop.call_later(_DRAIN_DEADLINE, self._transport.abort)
            try:
                await asyncio.shield(self._writable)
            finally:
                timer.cancel()

    def resume_reading(self) -> None:
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()

    def on_answer(self) -> None:
        cycle, self._running = self._running, None
        self.answers += 1
        if cycle is not None and not cycle.keep_alive:
            self._close()
        if self._closing:
            return
        self.resume_reading()
        if self._waiting:
            self._start(self._waiting.popleft())
        elif not self._receiving:
            self._due = self._loop.time() + _KEEP_ALIVE

    def _pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._transport.pause_reading()

    def _start(self, cycle: Cycle) -> None:
        self._running = cycle
        self._state.tasks.add(self._loop.create_task(self._run(cycle)))

    async def _run(self, cycle: Cycle) -> None:
        try:
            await self._app(cycle.scope, cycle.receive, cycle.send)
        finally:
            if not cycle.answered:
                self._close()
            if (task := asyncio.current_task(self._loop)) is not None:
                self._state.tasks.discard(task)

    def _scope(self, version: str) -> dict[str, Any]:
        url = httptools.parse_url(self._url)
        path = url.path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "method": self._parser.get_method().decode("ascii"),
            "scheme": self._scheme,
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            "root_path": "",
            "headers": self._headers,
            "client": self._client,
            "server": self._server,
        }

    def _is_clear(self, version: str, names: list[bytes]) -> bool:
        """Nothing in the head can be read in two ways."""
        if b"#" in self._url:  # RFC 9112 §3.2: no form of a target has a fragment
            return False
        if b"transfer-encoding" in names:  # RFC 9112 §6.1: of the codings we know one alone
            codings = self._values(b"transfer-encoding")
            if version != "1.1" or codings != [b"chunked"]:
                return False
        hosts = names.count(b"host")  # RFC 9112 §3.2
        return hosts == 1 if version == "1.1" else version == "1.0" and hosts <= 1

    def _values(self, wanted: bytes) -> list[bytes]:
        return [value.lower() for name, value in self._headers if name == wanted]

    def _count(self, part: bytes) -> None:
        """What began in the middle of a part is counted from the next one on."""
        if self._in_head:
            if not self._completed:
                self._head += len(part)
                if self._head >= _MAX_HEAD:
                    raise _RefusedError
        elif self._framing > _MAX_FRAMING:
            raise _RefusedError

    def _refuse(self) -> None:
        """400, unless the answer to an earlier request comes first, or this one has its answer."""
        self._refused = True
        running = self._running
        if running is not None and not running.more_body:
            running.keep_alive = False
            return
        if running is not None or self._in_head:
            self.write(_REFUSED)
        self._close()

    def _close(self) -> None:
        """When what was written is on its way, and soon whether it is or not."""
        if not self._closing:
            self._closing = True
            self._transport.close()
            self._timer.cancel()
            self._timer = self._loop.call_later(_CLOSE_DEADLINE, self._transport.abort)

    def _begin(self) -> None:
        self._receiving = True
        self._due = self._loop.time() + _REQUEST_DEADLINE

    def _watch(self) -> None:
        """One timer for all of the connection's life, which looks often enough."""
        now = self._loop.time()
        if self._due is not None and now >= self._due:
            if self._receiving:
                self._transport.abort()
            else:
                self._close()
        else:
            at = now + _KEEP_ALIVE
            self._timer = self._loop.call_at(min(at, self._due or at), self._watch)


def _address(transport: asyncio.Transport, name: str) -> tuple[str, int] | None:
    """Of a TCP socket; the transport remembers it when the socket has forgotten its peer."""
    found = transport.get_extra_info(name)
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None
