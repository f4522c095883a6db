"""One signing process as the event loop sees it: contents go in, signatures come out, in order."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta

from oauth_server.keys.pkcs11 import failures, process
from oauth_server.keys.pkcs11.failures import TokenError
from oauth_server.keys.pkcs11.frames import FramingError, Kind, Reader, frame
from oauth_server.keys.pkcs11.key import TokenKey
from oauth_server.keys.pkcs11.process import TRIAL
from oauth_server.timeouts import bound

OPENING = timedelta(seconds=15)
"""Loading a module and logging in, at most."""

SILENCE = timedelta(seconds=5)
"""A process that owes a signature and gives none for so long hangs."""

_END = 2.0  # seconds that a process gets to end by itself


class Job:
    """One signature: asked for, handed to a process, and made there."""

    __slots__ = ("abandoned", "asked", "content", "given", "result", "settled", "tried")

    def __init__(self, content: bytes, result: asyncio.Future[bytes]) -> None:
        self.content = content
        self.result = result
        self.asked = time.perf_counter()
        self.given = 0.0
        self.tried = 0
        self.abandoned = self.settled = False


Made = Callable[["Connection", Sequence[tuple[Job, bytes, float]]], None]
Lost = Callable[["Connection", TokenError], None]


class Connection(asyncio.Protocol):
    """`made` hears of signatures, and when each was begun; `lost` of the end, once, and why."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        made: Made,
        lost: Lost,
    ) -> None:
        self.jobs: deque[Job] = deque()
        self._child = child
        self._made = made
        self._lost = lost
        self._reader = Reader()
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[bytes] = self._loop.create_future()
        self._heard = time.perf_counter()
        self._watch: asyncio.TimerHandle | None = None
        self._failure: TokenError | None = None
        self._closed = False
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, key: TokenKey, pin: str, made: Made, lost: Lost) -> Connection:
        """A process that signs with the key. Raises TokenError; `lost` then hears nothing."""
        try:
            child, channel = process.start(key.access)
        except OSError as error:
            raise TokenError(failures.ERROR, f"no process: {error.strerror}") from None
        channel.setblocking(False)
        self = cls(child, made, lost)
        try:
            await self._loop.create_connection(lambda: self, sock=channel)
            self._write(key.access.task("sign", key.uri.key_id, key.public.algorithm.value, pin))
            async with bound(OPENING.total_seconds()):
                trial = await self._opened
        except asyncio.TimeoutError:
            self.close()
            raise TokenError(failures.GONE, "the token does not answer") from None
        except BaseException:
            self.close()
            raise
        if not key.public.verifies(trial, TRIAL):
            self.close()
            raise TokenError(failures.KEY_MISSING, "the token signs with another key")
        return self

    def give(self, jobs: Sequence[Job]) -> None:
        now = time.perf_counter()
        if not self.jobs:
            self._heard = now
        for job in jobs:
            job.given = now
            job.tried += 1
        self.jobs.extend(jobs)
        self._write(b"".join(frame(Kind.CONTENT, job.content) for job in jobs))
        if self._watch is None:
            self._watch = self._loop.call_later(SILENCE.total_seconds(), self._look)

    def close(self) -> None:
        """End the process: it hears the end of its socket, or is killed a little later."""
        if self._closed:
            return
        self._closed = True
        self._opened.cancel()
        if self._watch is not None:
            self._watch.cancel()
        if self._transport is not None:
            self._transport.close()
        threading.Thread(target=_reap, args=(self._child,), name="reap").start()

    def _write(self, content: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - it is open
        self._transport.write(content)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream socket
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        made = []
        try:
            for kind, content in self._reader.feed(data):
                if not self._opened.done():
                    said = process.done(kind, content)
                    self._opened.set_result(bytes.fromhex(said["trial"]))
                elif kind is Kind.SIGNATURE and self.jobs:
                    job = self.jobs.popleft()
                    made.append((job, content, max(job.given, self._heard)))
                    self._heard = time.perf_counter()
                else:
                    process.done(kind, content)
                    raise FramingError  # something else than a signature was said
        except TokenError as error:
            self._failure = error
        except (FramingError, ValueError, KeyError):
            self._failure = process.crashed()
        if made:
            self._made(self, made)
        if self._failure is not None and self._transport is not None:
            self._transport.abort()

    def connection_lost(self, _: Exception | None) -> None:
        if self._closed:
            return
        failure = self._failure or process.crashed()
        if not self._opened.done():
            self._opened.set_exception(failure)
        else:
            self.close()
            self._lost(self, failure)

    def _look(self) -> None:
        self._watch = None
        if not self.jobs:
            return
        silent = time.perf_counter() - self._heard
        left = SILENCE.total_seconds() - silent
        if left > 0:
            self._watch = self._loop.call_later(left, self._look)
            return
        self._failure = TokenError(failures.GONE, f"the token has not answered for {silent:.0f} s")
        self._child.kill()
        if self._transport is not None:
            self._transport.abort()


def _reap(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(_END)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
