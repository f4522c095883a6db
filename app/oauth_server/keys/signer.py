"""What signs tokens: an interface, and the pool of threads behind a key from a file."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Protocol

from oauth_server.errors import UnavailableError
from oauth_server.keys.jose import PrivateKey

# A signature waits for at most this many others in its thread, so that under overload what is
# accepted stays quick and the surplus is told at once.
_QUEUE_PER_THREAD = 8


class Signer(Protocol):
    async def sign(self, typ: str, claims: dict[str, object]) -> str:
        """A compact JWS. Raises UnavailableError when it cannot be had now."""


class ThreadPoolSigner:
    """Signs in as many threads as cores: the library gives up the GIL for a signature.

    More threads than cores are slower, and signing in the event loop would block it.
    """

    def __init__(self, key: PrivateKey, *, threads: int | None = None) -> None:
        count = threads or len(os.sched_getaffinity(0))
        self._key = key
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="sign")
        self._places = BoundedSemaphore(count * _QUEUE_PER_THREAD)

    async def sign(self, typ: str, claims: dict[str, object]) -> str:
        if not self._places.acquire(blocking=False):
            raise UnavailableError("The server is busy.", reason="sign_queue_full")
        future = self._pool.submit(self._key.sign, typ, claims)
        # The place is free when the thread is, not when the request that waited was cancelled.
        future.add_done_callback(self._give_back)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        self._pool.shutdown()

    def _give_back(self, _: Future[str]) -> None:
        self._places.release()
