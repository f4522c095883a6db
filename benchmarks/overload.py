"""An open loop at twice the rate that saturates the signers: who waits, and how long."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import bare, load, sites
from benchmarks.load import Request
from oauth_server.models import Algorithm

_PROBES_A_SECOND = 50
_CONNECTIONS = 400


@dataclass
class _Seen:
    """Seconds from when a request was due until its answer, by status; late starts included."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    live: list[float] = field(default_factory=list)
    without_retry_after: int = 0
    broken: int = 0


def overload(directory: Path, *, seconds: float) -> dict[str, float]:
    """Times in milliseconds, and as parts of one signature."""
    with sites.ours(directory, Algorithm.RS256) as server:
        assert server.private_key is not None
        signature = 1 / bare.sign(server.private_key, threads=1, seconds=1).rate
        saturated = load.put(
            server.request, connections=sites.CONNECTIONS, seconds=max(1, seconds / 2)
        ).rate
        seen = asyncio.run(_offer(server.request, 2 * saturated, seconds))
    assert not seen.broken, f"{seen.broken} requests without an answer"
    assert not seen.without_retry_after
    return {
        "offered / saturating": 2.0,
        "accepted / saturating": len(seen.accepted) / seconds / saturated,
        "live p99 ms": _p99(seen.live) * 1000,
        "refused p50 ms": statistics.median(seen.refused) * 1000 if seen.refused else 0,
        "refused p99 ms": _p99(seen.refused) * 1000,
        "accepted p99 ms": _p99(seen.accepted) * 1000,
        "accepted p99 / signature": _p99(seen.accepted) / signature,
    }


async def _offer(request: Request, rate: float, seconds: float) -> _Seen:
    """One request after the other, whether the ones before have been answered or not."""
    where = urlsplit(request.url)
    assert where.hostname is not None
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    post = (
        f"POST {where.path} HTTP/1.1\r\nHost: x\r\n{head}"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(request.body)}\r\n\r\n{request.body}"
    ).encode()
    get = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    seen = _Seen()
    # In turns, so that none is idle for so long that the server closes it.
    idle: deque[_Client] = deque()
    loop = asyncio.get_running_loop()
    for _ in range(_CONNECTIONS):
        _, client = await loop.create_connection(_Client, where.hostname, where.port or 80)
        idle.append(client)
    began = time.perf_counter()
    due, probe = began, began
    while due < began + seconds:
        now = time.perf_counter()
        while due <= now and idle:
            client = idle.popleft()
            if probe <= due:
                client.ask(get, due, seen, idle, live=True)
                probe += 1 / _PROBES_A_SECOND
            else:
                client.ask(post, due, seen, idle, live=False)
            due += 1 / rate
        await asyncio.sleep(0.0005)
    await asyncio.sleep(1)
    seen.broken = _CONNECTIONS - len(idle)
    return seen


class _Client(asyncio.Protocol):
    """One connection, one request at a time; cheap, because it shares the server's cores."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def ask(
        self, request: bytes, due: float, seen: _Seen, idle: deque[_Client], *, live: bool
    ) -> None:
        self._due, self._seen, self._idle, self._live = due, seen, idle, live
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().split(b"content-length: ")[1].split(b"\r")[0]):
            return
        took = time.perf_counter() - self._due
        if self._live:
            self._seen.live.append(took)
        elif head.startswith(b"HTTP/1.1 200 "):
            self._seen.accepted.append(took)
        else:
            self._seen.refused.append(took)
            self._seen.without_retry_after += b"retry-after: 1" not in head
        self._received = b""
        self._idle.append(self)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)] if values else 0.0
