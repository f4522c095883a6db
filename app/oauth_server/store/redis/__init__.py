"""The store in Redis, over a unix socket or TLS."""

from __future__ import annotations

from oauth_server.store.interface import Observer
from oauth_server.store.redis.assertions import RedisAssertions
from oauth_server.store.redis.board import RedisBoard
from oauth_server.store.redis.codes import RedisCodes
from oauth_server.store.redis.connections import Connections
from oauth_server.store.redis.consents import RedisConsents
from oauth_server.store.redis.denylist import RedisDenylist
from oauth_server.store.redis.endpoint import Endpoint
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
        endpoint: Endpoint,
        username: str | None,
        password: str | None,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(Connections(endpoint, username, password, observer))

    async def ping(self) -> None:
        await self._redis.command("ping", "PING")

    async def close(self) -> None:
        await self._redis.close()
