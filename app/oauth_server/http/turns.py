"""Whose turn it is, where what is asked for takes its time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

# In one go of the event loop; all else that is ready has to wait for them.
_AT_ONCE = 8

Begin = Callable[[], bool]
"""Begins; tells whether there was anything to be done."""


class Turns:
    """A few in each go of the event loop, from one source after the other.

    Where few ask nobody waits. Where more ask than can be served, a source that asks for little
    is served as if it were alone with one request of each other.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Begin]] = {}
        self._left = _AT_ONCE
        self._is_running = False

    def ask(self, source: str, begin: Begin) -> None:
        """Have `begin` called when it is the source's turn, which may be at once."""
        if not self._is_running:
            self._is_running = True
            self._left = _AT_ONCE
            asyncio.get_running_loop().call_soon(self._go)
        if self._left and not self._waiting:
            self._left -= begin()
        else:
            self._waiting.setdefault(source, deque()).append(begin)

    def _go(self) -> None:
        self._left = _AT_ONCE
        while self._left and self._waiting:
            source = next(iter(self._waiting))
            waiting = self._waiting.pop(source)
            begin = waiting.popleft()
            if waiting:
                self._waiting[source] = waiting  # at the end
            self._left -= begin()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._go)
        else:
            self._is_running = False
