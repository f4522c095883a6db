"""Counted attempts and known browsers, in Redis."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from oauth_server.store.interface import Digest, Limit
from oauth_server.store.redis import scripts
from oauth_server.store.redis.part import Part, milliseconds


class RedisThrottles(Part):
    async def attempt(self, limits: Sequence[Limit]) -> timedelta | None:
        numbers = [number for limit in limits for number in (limit.most, _window(limit))]
        wait = await self._redis.script(scripts.ATTEMPT, _keys(limits), *numbers)
        return None if wait is None else timedelta(milliseconds=wait)

    async def forgive(self, limits: Sequence[Limit]) -> None:
        await self._redis.script(scripts.FORGIVE, _keys(limits))

    async def remember_device(self, device: Digest, subject: str, *, lifetime: timedelta) -> None:
        await self._redis.command(
            "remember_device", "SET", _device(device), subject, "PX", milliseconds(lifetime)
        )

    async def find_device(self, device: Digest) -> str | None:
        found: str | None = await self._redis.command("find_device", "GET", _device(device))
        return found


def _keys(limits: Sequence[Limit]) -> list[str]:
    # What was typed for a user name may have been a password.
    return [f"oauth:throttle:{hashlib.sha256(limit.key.encode()).hexdigest()}" for limit in limits]


def _window(limit: Limit) -> int:
    return milliseconds(limit.window)


def _device(device: Digest) -> str:
    return f"oauth:device:{device}"
