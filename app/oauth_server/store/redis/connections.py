"""Connections to Redis: one bound for each step, and no reply for anybody but who asked.

redis-py carries the protocol. Its pools are not used: a step has one bound over waiting,
connecting, authenticating and answering, and is never sent twice.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from oauth_server.errors import UnavailableError
from oauth_server.store.interface import Observer
from oauth_server.store.redis import reasons
from oauth_server.store.redis.endpoint import Endpoint
from oauth_server.store.redis.scripts import Script
from oauth_server.timeouts import bound

BOUND = timedelta(seconds=1)
"""Redis on the same host answers in a fraction of a millisecond, over TLS in a few."""

_MOST = 32

Argument = str | int


class Connections:
    def __init__(
        self,
        endpoint: Endpoint,
        username: str | None,
        password: str | None,
        observer: Observer | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._username = username
        self._password = password
        self._observer = observer
        self._slots = asyncio.Semaphore(_MOST)
        self._idle: list[AbstractConnection] = []
        self._closed = False

    # Any: what Redis replies is whatever the command gives.
    async def command(self, step: str, *command: Argument) -> Any:
        """Redis' reply. Raises UnavailableError, after BOUND at the latest."""
        return await self._timed(step, command, None)

    async def script(self, script: Script, keys: list[str], *arguments: Argument) -> Any:
        """What the script returns; Redis runs nothing else meanwhile. Raises UnavailableError."""
        command = "EVALSHA", script.sha1, len(keys), *keys, *arguments
        return await self._timed(script.name, command, script.text)

    async def close(self) -> None:
        self._closed = True
        await self._drop_idle()

    async def _timed(self, step: str, command: tuple[Argument, ...], text: str | None) -> Any:
        started, waiting = time.monotonic(), True
        try:
            async with bound(BOUND.total_seconds()), self._slots:
                waiting = False
                reply = await self._exchange(command, text)
        except (RedisError, OSError, ValueError, asyncio.TimeoutError) as error:
            # ValueError and its like are for what calls itself Redis and isn't.
            self._tell(step, started, False)
            reason = "store_busy" if waiting else reasons.of(error)
            raise UnavailableError("The store cannot do this now.", reason=reason) from error
        self._tell(step, started, True)
        return reply

    def _tell(self, step: str, started: float, taken: bool) -> None:
        if self._observer is not None:
            self._observer(step, time.monotonic() - started, taken)

    async def _exchange(self, command: tuple[Argument, ...], text: str | None) -> Any:
        connection = await self._take()
        try:
            try:
                return await self._ask(connection, *command)
            except NoScriptError:
                # Redis was started anew. EVAL carries the script, and Redis keeps it.
                if text is None:
                    raise
                return await self._ask(connection, "EVAL", text, *command[2:])
        except ResponseError:
            raise  # the reply was read whole, and the connection is as good as new
        except (RedisError, OSError):
            # Redis went away: the other connections are as dead as this one.
            await connection.disconnect(nowait=True)
            await self._drop_idle()
            raise
        except BaseException:
            # A reply that nobody has read must not be taken for the next one's.
            await connection.disconnect(nowait=True)
            raise
        finally:
            if connection.is_connected and not self._closed:
                self._idle.append(connection)
            else:
                await connection.disconnect(nowait=True)

    async def _ask(self, connection: AbstractConnection, *command: Argument) -> Any:
        await connection.send_command(*command)
        return await connection.read_response()

    async def _take(self) -> AbstractConnection:
        """A connection on which nothing has been sent and nothing is to be read."""
        while self._idle:
            connection = self._idle.pop()
            # At this moment nothing is sent yet: to take another one is no second attempt.
            if not await connection.can_read():
                return connection
            await connection.disconnect(nowait=True)
        connection = self._endpoint.connection(
            username=self._username,
            password=self._password,
            decode_responses=True,
            protocol=2,
            # The bound is over all of it; a client's own would come on top.
            socket_timeout=None,
            socket_connect_timeout=None,
            # A retry would hide an outage, and could run a script twice.
            retry=Retry(NoBackoff(), 0),
            # CLIENT SETINFO is unknown to Redis before 7.2.
            driver_info=None,
        )
        try:
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py's own
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect(nowait=True)
