"""What signs tokens: an interface, and what stands behind a key from a file."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

from oauth_server.errors import UnavailableError
from oauth_server.keys.jose import PublicKey, compact
from oauth_server.keys.room import Room


class SigningKey(Protocol):
    quick: bool

    def signing_input(self, typ: str, claims: dict[str, object]) -> bytes: ...

    def signature(self, signing_input: bytes) -> bytes: ...


class KeyPair(SigningKey, Protocol):
    """What a ring has open."""

    @property
    def public(self) -> PublicKey: ...


class Signer(Protocol):
    async def sign(self, typ: str, claims: dict[str, object]) -> str:
        """A compact JWS. Raises UnavailableError when it cannot be had now."""


class BoundedSigner(Signer, Protocol):
    """One that says when it has no room, and ends."""

    @property
    def pending(self) -> int: ...

    async def open(self) -> None:
        """Until it is known whether it can sign. Raises UnavailableError if it cannot."""

    def check_room(self) -> None:
        """Raises UnavailableError when no signature could be had now."""

    def close(self) -> None: ...


class NoSigner:
    """Of a host that has joined a fleet: its key is published, and may not sign before long."""

    pending = 0

    async def open(self) -> None: ...

    def check_room(self) -> None:
        raise UnavailableError("The server does not sign yet.", reason="no_active_key")

    async def sign(self, typ: str, claims: dict[str, object]) -> str:  # noqa: ARG002 - as others
        self.check_room()
        raise AssertionError

    def close(self) -> None: ...


class ConfirmedSigner:
    """Signs for as long as the ring is known to have the key: one that was removed must not."""

    def __init__(self, signer: BoundedSigner, is_stale: Callable[[], bool]) -> None:
        self._signer = signer
        self._is_stale = is_stale

    @property
    def pending(self) -> int:
        return self._signer.pending

    async def open(self) -> None:
        await self._signer.open()

    def check_room(self) -> None:
        if self._is_stale():
            raise UnavailableError("The server cannot read its keys.", reason="ring_stale")
        self._signer.check_room()

    async def sign(self, typ: str, claims: dict[str, object]) -> str:
        if self._is_stale():
            raise UnavailableError("The server cannot read its keys.", reason="ring_stale")
        return await self._signer.sign(typ, claims)

    def close(self) -> None:
        self._signer.close()


class SignObserver(Protocol):
    """Hears how long each signature waited and took, in seconds."""

    def __call__(self, waited: float, took: float) -> None: ...


class _Job:
    """One signature, asked for in the event loop and made in a thread."""

    __slots__ = (
        "abandoned", "asked", "content", "error", "result", "signature", "started", "stopped"
    )  # fmt: skip

    def __init__(self, content: bytes, result: asyncio.Future[bytes]) -> None:
        self.content = content
        self.result = result
        self.asked = time.perf_counter()
        self.started = self.stopped = 0.0
        self.signature = b""
        self.error: Exception | None = None
        self.abandoned = False


class FileSigner:
    """Signs with a key from a file: in threads, or at once if the key is quick.

    The library gives up the GIL for a signature; in the event loop a dear one would block all
    else. One thread more than cores keeps these busy while another waits for the GIL; with more
    yet they are in each other's way. For a quick signature a thread costs more than it gives.
    """

    def __init__(
        self,
        key: SigningKey,
        *,
        threads: int | None = None,
        observe: SignObserver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key
        self._observe = observe
        count = 0 if key.quick else threads or len(os.sched_getaffinity(0)) + 1
        self._room = Room(clock)
        self._count = count
        self._pending = 0
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        # Threads append, the loop takes away: one wake-up may deliver several.
        self._done: deque[_Job] = deque()
        self._woken = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"sign-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pending(self) -> int:
        """How many signatures are being made or waited for."""
        return self._pending

    async def open(self) -> None: ...

    def check_room(self) -> None:
        """Raises UnavailableError when as many signatures are waited for as may be."""
        if not self._key.quick:
            self._room.check(self._pending, self._count)

    async def sign(self, typ: str, claims: dict[str, object]) -> str:
        content = self._key.signing_input(typ, claims)
        if self._key.quick:
            started = time.perf_counter()
            signature = self._key.signature(content)
            if self._observe is not None:
                self._observe(0.0, time.perf_counter() - started)
            return compact(content, signature)
        self.check_room()
        self._loop = asyncio.get_running_loop()
        job = _Job(content, self._loop.create_future())
        self._pending += 1
        self._jobs.put(job)
        try:
            signature = await job.result
        except asyncio.CancelledError:
            # Of one that has begun the place is free when the thread is: otherwise who connects
            # and leaves again could fill the queue past its bound.
            if not job.started:
                job.abandoned = True
                self._pending -= 1
            raise
        return compact(content, signature)

    def close(self) -> None:
        """Sign what was asked for, then end the threads."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.abandoned:
                self._make(job)
            self._wake()
        self._wake()

    def _make(self, job: _Job) -> None:
        job.started = time.perf_counter()
        try:
            job.signature = self._key.signature(job.content)
        except Exception as error:  # noqa: BLE001 - whoever asked must hear of it
            job.error = error
        job.stopped = time.perf_counter()
        self._done.append(job)

    def _wake(self) -> None:
        if self._loop is None or not self._done:
            return
        if self._woken:
            return  # the loop has not taken what was done before, and will take this with it
        # Under load the loop takes finished signatures a few at a time: each time that it runs it
        # costs the threads their cores and their caches.
        if len(self._done) < self._pending // self._count and not self._jobs.empty():
            return  # whoever makes the next signature looks again
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            return  # the loop is closed, and nobody waits

    def _deliver(self) -> None:
        self._woken = False
        while self._done:
            job = self._done.popleft()
            if not job.abandoned:
                self._pending -= 1
            if self._observe is not None:
                self._observe(job.started - job.asked, job.stopped - job.started)
            if job.result.done():  # cancelled: the request went away
                continue
            if job.error is not None:
                job.result.set_exception(job.error)
            else:
                job.result.set_result(job.signature)
