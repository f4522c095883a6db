"""Counted attempts and known browsers, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from oauth_server.store.interface import Digest, Limit
from oauth_server.store.memory.part import Part


class MemoryThrottles(Part):
    async def attempt(self, limits: Sequence[Limit]) -> timedelta | None:
        attempts, now = self._state.attempts, self._state.now()
        reached = [
            timedelta(seconds=(attempts.ends(limit.key) or now) - now)
            for limit in limits
            if (attempts.get(limit.key) or 0) >= limit.most
        ]
        if reached:
            return max(reached)
        for limit in limits:
            ends = attempts.ends(limit.key) or now + limit.window.total_seconds()
            attempts.put(limit.key, (attempts.get(limit.key) or 0) + 1, ends)
        return None

    async def forgive(self, limits: Sequence[Limit]) -> None:
        attempts = self._state.attempts
        for limit in limits:
            count, ends = attempts.get(limit.key), attempts.ends(limit.key)
            if count is None or ends is None:
                continue
            if count > 1:
                attempts.put(limit.key, count - 1, ends)
            else:
                attempts.drop(limit.key)

    async def remember_device(self, device: Digest, subject: str, *, lifetime: timedelta) -> None:
        self._state.devices.put(device, subject, self._state.now() + lifetime.total_seconds())

    async def find_device(self, device: Digest) -> str | None:
        return self._state.devices.get(device)
