"""True time, and what happens in it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from oauth_server.fleet.members import Fleet
from oauth_server.keys.timing import Timing
from oauth_server.store.memory import MemoryStore
from tests.simulation.host import Host
from tests.simulation.oracle import Lengths
from tests.simulation.record import Record, Seconds


class World:
    """`at` is now. Events happen one after the other, each at its time."""

    def __init__(self, directory: Path, timing: Timing, lengths: Lengths) -> None:
        self.directory, self.timing, self.lengths = directory, timing, lengths
        self.epoch = datetime(2026, 1, 1, tzinfo=timezone.utc)
        self.at: Seconds = 0.0
        self.board = MemoryStore(lambda: self.at)
        self.record = Record()
        self.hosts: list[Host] = []
        self._events: list[tuple[Seconds, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._loop = asyncio.new_event_loop()

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._loop.run_until_complete(coroutine)

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def after(self, seconds: Seconds, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.at + seconds, next(self._numbers), act))

    def until(self, end: Seconds) -> None:
        while self._events and self._events[0][0] <= end:
            self.at, _, act = heapq.heappop(self._events)
            act()
        self.at = end

    def fleet_of(self, host: Host) -> Fleet:
        """The inventory, as the last deploy has it."""
        return Fleet(host.name, tuple(other.member for other in self.hosts if other is not host))

    def passed_everywhere(self, until: datetime) -> Seconds:
        """When the first clock says so: none is further ahead than half of the leeway."""
        return (until - self.epoch).total_seconds() - self.lengths.leeway / 2
