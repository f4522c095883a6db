"""How a running server follows its ring: no restart, no signal, and no key for longer than it may.

The ring is looked at every two seconds; what it costs is a directory of a handful of names.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

from oauth_server.errors import OperatorError
from oauth_server.keys import removed
from oauth_server.keys import ring as key_ring
from oauth_server.keys.layout import RING
from oauth_server.keys.ring import KeyRing
from oauth_server.keys.served import SELF, ServedFile

_journal = logging.getLogger("oauth_server")

_EVERY = 2.0


def _since_boot() -> float:
    """Seconds that no setting of the clock moves, and that go on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Follower:
    """`ring` is what the server works with now, `take_over` has it load another one.

    `withhold` has it publish some keys no more, where another one cannot be loaded.

    `stale` is for how long a key may sign that its ring does not confirm (Timing.stale).
    `fleet` is this server's name there, and which keys each other server publishes.
    """

    def __init__(
        self,
        directory: Path,
        *,
        ring: Callable[[], KeyRing],
        stale: Callable[[], timedelta],
        take_over: Callable[[], Awaitable[None]],
        withhold: Callable[[Collection[str]], Awaitable[None]],
        served: ServedFile,
        fleet: Callable[[], tuple[str, Mapping[str, Collection[str]]]] = lambda: (SELF, {}),
        clock: Callable[[], float] = _since_boot,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._directory = directory
        self._ring = ring
        self._stale = stale
        self._take_over = take_over
        self._withhold = withhold
        self._served = served
        self._fleet = fleet
        self._clock = clock
        self._now = now
        self._confirmed = clock()
        self._complaints: dict[str, str] = {}

    @property
    def unconfirmed(self) -> float:
        """For how many seconds nothing has confirmed the active key."""
        return self._clock() - self._confirmed

    def is_stale(self) -> bool:
        return self._ring().is_withheld or self.unconfirmed > self._stale().total_seconds()

    async def follow(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - without it the server would stop to sign
                self._complain("look", f"the ring is not followed: {error!r}")
            else:
                self._complaints.pop("look", None)
            await asyncio.sleep(_EVERY)

    async def look(self) -> None:
        """Once: take over what changed, confirm the active key, and write down what is served."""
        try:
            mark = await asyncio.to_thread(key_ring.mark, self._directory / RING)
        except OperatorError as error:
            self._complain("ring", str(error))
            await self._withhold_what_is_gone()
            return
        self._complaints.pop("ring", None)
        if mark != self._ring().mark:
            await self._take_over()
        if mark != self._ring().mark:
            await self._withhold_what_is_gone()
        ring = self._ring()
        active = None if ring.active is None else ring.active.public.kid
        if mark.active == active:
            self._confirmed = self._clock()
        kids = ring.kids
        now = self._now()
        try:
            await asyncio.to_thread(self._served.note, kids, active, now, *self._fleet())
        except OperatorError as error:
            self._complain("served", str(error))
        else:
            self._complaints.pop("served", None)

    async def _withhold_what_is_gone(self) -> None:
        """The ring cannot be read: what was removed in an emergency must be believed no more.

        The server would go on to say to everybody that it is a good key.
        """
        try:
            gone = await asyncio.to_thread(removed.emergencies, self._directory)
        except OperatorError as error:
            self._complain("removed", str(error))
            return
        self._complaints.pop("removed", None)
        if found := self._ring().kids & gone:
            await self._withhold(found)

    def _complain(self, about: str, text: str) -> None:
        """Once for as long as it is the same."""
        if self._complaints.get(about) != text:
            self._complaints[about] = text
            _journal.error("%s", text)
