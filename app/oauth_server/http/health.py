"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from oauth_server.errors import UnavailableError
from oauth_server.http import exchange, responses
from oauth_server.keys.signer import Signer
from oauth_server.store.interface import Reachable

_journal = logging.getLogger("oauth_server")

# Anybody may ask, and a signature is dear: one check answers all who ask within a second.
_FRESH = 1.0


async def live(_: Request) -> Response:
    return responses.json({"status": "live"})


class ReadyEndpoint:
    """200 if the store answers and a signature can be made, otherwise 503."""

    def __init__(
        self, store: Reachable, signer: Signer, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._lock = asyncio.Lock()
        self._checked = float("-inf")
        self._failure: UnavailableError | None = None

    async def __call__(self, request: Request) -> Response:
        exchange.of(request).event = "ready"
        async with self._lock:
            if self._clock() - self._checked >= _FRESH:
                self._failure = await self._check()
                self._checked = self._clock()
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        return responses.json({"status": "ready"})

    async def _check(self) -> UnavailableError | None:
        try:
            await self._store.ping()
            await self._signer.sign("probe", {})
        except UnavailableError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, this server cannot do its work
            _journal.error("not ready", exc_info=error)
            return UnavailableError("The server cannot do its work.", reason="check_failed")
        return None
