"""What hosts announce, in one hash of Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oauth_server.store.redis import scripts
from oauth_server.store.redis.part import Part

_KEY = "oauth:fleet"


class RedisBoard(Part):
    async def announce(self, host: str, statement: str) -> None:
        await self._redis.command("announce", "HSET", _KEY, host, statement)

    async def announcements(self, hosts: Sequence[str]) -> Mapping[str, str]:
        said = await self._redis.script(scripts.ANNOUNCEMENTS, [_KEY], *hosts)
        return {host: text for host, text in zip(hosts, said, strict=True) if text}
