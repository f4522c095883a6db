"""The store in Redis, over a unix socket."""

from __future__ import annotations

import asyncio
from pathlib import Path

from redis.asyncio import BlockingConnectionPool, Redis, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from oauth_server.errors import UnavailableError

# Redis on the same host answers in a fraction of a millisecond.
_TIMEOUT = 1.0
_MAX_CONNECTIONS = 32


class RedisStore:
    """`username` and `password` are those of an ACL user, or None for none."""

    def __init__(self, path: Path, username: str | None, password: str | None) -> None:
        self._redis = Redis(
            connection_pool=BlockingConnectionPool(
                connection_class=UnixDomainSocketConnection,
                path=str(path),
                username=username,
                password=password,
                max_connections=_MAX_CONNECTIONS,
                timeout=_TIMEOUT,
                socket_timeout=_TIMEOUT,
                socket_connect_timeout=_TIMEOUT,
                # A client's own retry would multiply the bound, and hide an outage.
                retry=Retry(NoBackoff(), 0),
                # CLIENT SETINFO is unknown to Redis before 7.2.
                driver_info=None,
            )
        )

    async def ping(self) -> None:
        try:
            # One bound over connecting, authenticating and asking.
            await asyncio.wait_for(self._redis.ping(), _TIMEOUT)
        except (RedisError, OSError, asyncio.TimeoutError) as error:
            raise UnavailableError(
                "The store does not answer.", reason=f"store_{type(error).__name__}"
            ) from error

    async def close(self) -> None:
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()
