"""The store in Redis, over a unix socket."""

from __future__ import annotations

from pathlib import Path

from oauth_server.store.interface import Observer
from oauth_server.store.redis.assertions import RedisAssertions
from oauth_server.store.redis.board import RedisBoard
from oauth_server.store.redis.codes import RedisCodes
from oauth_server.store.redis.connections import Connections
from oauth_server.store.redis.consents import RedisConsents
from oauth_server.store.redis.denylist import RedisDenylist
from oauth_server.store.redis.families import RedisFamilies
from oauth_server.store.redis.sessions import RedisSessions
from oauth_server.store.redis.throttles import RedisThrottles


class RedisStore(
    RedisCodes,
    RedisFamilies,
    RedisDenylist,
    RedisSessions,
    RedisConsents,
    RedisThrottles,
    RedisAssertions,
    RedisBoard,
):
    """`username` and `password` are those of an ACL user, or None for none."""

    def __init__(
        self,
        path: Path,
        username: str | None,
        password: str | None,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(Connections(path, username, password, observer))

    async def ping(self) -> None:
        await self._redis.command("ping", "PING")

    async def close(self) -> None:
        await self._redis.close()
