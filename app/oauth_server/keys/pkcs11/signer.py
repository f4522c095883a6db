"""Signs with a key on a token: by a few processes with a session each, for as long as it takes.

A token that is gone is asked for anew, with growing pauses, and until then nobody waits. A PIN that
was refused is tried again when it is another one: a token locks itself after a few.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence

from oauth_server.errors import OperatorError, UnavailableError
from oauth_server.keys.jose import compact
from oauth_server.keys.pkcs11 import failures
from oauth_server.keys.pkcs11.connection import Connection, Job
from oauth_server.keys.pkcs11.failures import TokenError
from oauth_server.keys.pkcs11.key import TokenKey
from oauth_server.keys.room import Room
from oauth_server.keys.signer import SignObserver

_journal = logging.getLogger("oauth_server")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0  # seconds
_QUIET = 30.0  # seconds without a setback, after which the pauses begin anew
_PLACE = 0.004  # seconds; of what takes a fraction of that as many more may wait
_MOST_PLACES = 64
_AHEAD = 2  # one that is made, and one that is there when it has been
_TWICE = 2
_AGAIN = "it is asked again every few seconds"
_AGAIN_WITH_PIN = "it is asked again when its PIN file has changed"


class TokenSigner:
    """To be made in the event loop."""

    def __init__(
        self,
        key: TokenKey,
        *,
        processes: int | None = None,
        observe: SignObserver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key
        self._access = key.access
        self._wanted = processes or len(os.sched_getaffinity(0))
        self._observe = observe
        self._clock = clock
        self._room = Room(clock)
        self._waiting: deque[Job] = deque()
        self._pending = 0
        self._took = _PLACE
        self._connections: list[Connection] = []
        self._failure: TokenError | None = TokenError(failures.GONE, "it was not asked yet")
        self._said: str | None = None
        self._setbacks = 0
        self._last_setback = float("-inf")
        self._missing = asyncio.Event()
        self._missing.set()
        self._told = asyncio.Event()
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    @property
    def pending(self) -> int:
        """How many signatures are being made or waited for."""
        return self._pending

    @property
    def ready(self) -> int:
        """How many processes can sign."""
        return len(self._connections)

    async def open(self) -> None:
        """Until it is known whether it can sign. Raises UnavailableError if it cannot."""
        await self._told.wait()
        self._check_token()

    def check_room(self) -> None:
        """Raises UnavailableError without a token, or when as many wait as may."""
        self._check_token()
        self._room.check(self._pending, self._places())

    async def sign(self, typ: str, claims: dict[str, object]) -> str:
        content = self._key.signing_input(typ, claims)
        self.check_room()
        job = Job(content, asyncio.get_running_loop().create_future())
        self._pending += 1
        self._waiting.append(job)
        self._hand_out()
        try:
            return compact(content, await job.result)
        except asyncio.CancelledError:
            job.abandoned = True
            # One that a process has been given keeps its place until that is done with it.
            if not job.given:
                self._settle(job)
            raise

    def close(self) -> None:
        self._keeper.cancel()
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def _check_token(self) -> None:
        if self._failure is not None:
            raise _unavailable(self._failure)

    def _places(self) -> int:
        each = min(_MOST_PLACES, max(1, round(_PLACE / self._took)))
        return len(self._connections) * each

    def _hand_out(self) -> None:
        ahead = min(_MOST_PLACES, max(_AHEAD, round(_PLACE / self._took)))
        while self._waiting and self._connections:
            connection = min(self._connections, key=lambda one: len(one.jobs))
            room = ahead - len(connection.jobs)
            if room <= 0:
                return
            jobs: list[Job] = []
            share = -(-len(self._waiting) // len(self._connections))
            while self._waiting and len(jobs) < min(room, share):
                job = self._waiting.popleft()
                if not job.abandoned:
                    jobs.append(job)
            if jobs:
                connection.give(jobs)

    def _made(self, _: Connection, made: Sequence[tuple[Job, bytes, float]]) -> None:
        now = time.perf_counter()
        began = made[0][2]
        self._took += ((now - began) / len(made) - self._took) / 16
        for job, signature, _began in made:
            self._settle(job)
            if self._observe is not None:
                self._observe(max(0.0, began - job.asked), (now - began) / len(made))
            if not job.result.done():
                job.result.set_result(signature)
        self._hand_out()

    def _lost(self, connection: Connection, failure: TokenError) -> None:
        """What it owed is asked of another process once, unless it hung: that was long enough."""
        self._connections.remove(connection)
        self._set_back()
        self._fail(failure)
        again = self._connections and failure.reason != failures.GONE
        for job in reversed(connection.jobs):
            if job.abandoned:
                self._settle(job)
            elif again and job.tried < _TWICE:
                job.given = 0.0
                self._waiting.appendleft(job)
            else:
                self._refuse(job, failure)
        if not self._connections:
            for job in self._waiting:
                self._refuse(job, failure)
            self._waiting.clear()
        self._hand_out()
        self._missing.set()

    def _refuse(self, job: Job, failure: TokenError) -> None:
        self._settle(job)
        if not job.result.done():
            job.result.set_exception(_unavailable(failure))

    def _settle(self, job: Job) -> None:
        """It is waited for no longer."""
        if not job.settled:
            job.settled = True
            self._pending -= 1

    # As many processes as wanted ------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            await self._missing.wait()
            await asyncio.sleep(self._pause())
            try:
                pin = await asyncio.to_thread(self._access.pin.read)
                await self._add(pin)
            except OperatorError as error:
                self._set_back()
                self._fail(TokenError(failures.GONE, f"its PIN: {error}"))
            except TokenError as error:
                self._set_back()
                self._fail(error)
                if error.reason == failures.PIN_REFUSED:
                    await self._until_another_pin(pin)
            except Exception:  # noqa: BLE001 - whatever it is, the token is asked again
                _journal.exception("signing.pkcs11")
                self._set_back()

    async def _add(self, pin: str) -> None:
        """One after the other: a PIN that is wrong is tried by the first alone."""
        connection = await Connection.open(self._key, pin, self._made, self._lost)
        self._connections.append(connection)
        if len(self._connections) >= self._wanted:
            self._missing.clear()
        if self._said is not None:
            _journal.error("signing.pkcs11: the token %s signs again", self._access.token)
        self._failure = self._said = None
        self._told.set()
        self._hand_out()

    async def _until_another_pin(self, refused: str) -> None:
        while True:
            await asyncio.sleep(_LONGEST_PAUSE)
            try:
                if await asyncio.to_thread(self._access.pin.read) != refused:
                    return
            except OperatorError:
                continue

    def _pause(self) -> float:
        if self._clock() - self._last_setback > _QUIET:
            self._setbacks = 0
        if not self._setbacks:
            return 0.0
        return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._setbacks - 1, 10))

    def _set_back(self) -> None:
        self._setbacks += 1
        self._last_setback = self._clock()

    def _fail(self, failure: TokenError) -> None:
        """Say so once, and refuse all who ask if no process is left."""
        if not self._connections:
            self._failure = failure
        self._told.set()
        if self._said != str(failure):
            self._said = str(failure)
            again = _AGAIN_WITH_PIN if failure.reason == failures.PIN_REFUSED else _AGAIN
            _journal.error("signing.pkcs11: token %s: %s; %s", self._access.token, failure, again)


def _unavailable(failure: TokenError) -> UnavailableError:
    return UnavailableError("The server cannot sign now.", reason=failure.reason)
