"""A mapping whose entries go when their time has passed."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_SLACK = 64


class Expiring(Generic[K, V]):
    """Holds no more than a fixed multiple of what is alive: each `put` sweeps what is over."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[K, tuple[float, V]] = {}
        # The counter decides between equal times, as keys need not have an order.
        self._ends: list[tuple[float, int, K]] = []
        self._counter = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: K, value: V, ends: float) -> None:
        """Keep `value` until `ends`, in seconds since the epoch."""
        self._sweep()
        self._entries[key] = ends, value
        self._counter += 1
        heapq.heappush(self._ends, (ends, self._counter, key))

    def get(self, key: K) -> V | None:
        found = self._find(key)
        return None if found is None else found[1]

    def ends(self, key: K) -> float | None:
        """When the entry goes, or None if it is not there."""
        found = self._find(key)
        return None if found is None else found[0]

    def drop(self, key: K) -> None:
        self._entries.pop(key, None)

    def _find(self, key: K) -> tuple[float, V] | None:
        found = self._entries.get(key)
        return found if found is not None and self._clock() < found[0] else None

    def _sweep(self) -> None:
        now = self._clock()
        while self._ends and self._ends[0][0] <= now:
            key = heapq.heappop(self._ends)[2]
            found = self._entries.get(key)
            if found is not None and found[0] <= now:
                del self._entries[key]
        # What was put again or dropped left its old end behind.
        if len(self._ends) > 2 * len(self._entries) + _SLACK:
            self._ends = [
                (ends, number, key) for number, (key, (ends, _)) in enumerate(self._entries.items())
            ]
            self._counter = len(self._ends)
            heapq.heapify(self._ends)
