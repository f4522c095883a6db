"""A store for development and tests: it lives and dies with the process."""

from __future__ import annotations

import time
from collections.abc import Callable

from oauth_server.store.memory.assertions import MemoryAssertions
from oauth_server.store.memory.board import MemoryBoard
from oauth_server.store.memory.codes import MemoryCodes
from oauth_server.store.memory.consents import MemoryConsents
from oauth_server.store.memory.denylist import MemoryDenylist
from oauth_server.store.memory.families import MemoryFamilies
from oauth_server.store.memory.sessions import MemorySessions
from oauth_server.store.memory.state import State
from oauth_server.store.memory.throttles import MemoryThrottles


class MemoryStore(
    MemoryCodes,
    MemoryFamilies,
    MemoryDenylist,
    MemorySessions,
    MemoryConsents,
    MemoryThrottles,
    MemoryAssertions,
    MemoryBoard,
):
    """`clock` tells seconds since the epoch. No method waits, so each is one atomic step."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(State(clock))

    async def ping(self) -> None:
        return

    async def close(self) -> None:
        return
