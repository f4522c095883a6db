"""Login sessions, in Redis."""

from __future__ import annotations

from datetime import timedelta

from oauth_server.store.interface import Digest, Session
from oauth_server.store.redis.part import Part, decoded, encoded, milliseconds


class RedisSessions(Part):
    async def open_session(
        self, session_id: Digest, session: Session, *, lifetime: timedelta
    ) -> None:
        await self._redis.command(
            "open_session",
            *("SET", _key(session_id), encoded(session), "PX", milliseconds(lifetime)),
        )

    async def find_session(self, session_id: Digest) -> Session | None:
        found = await self._redis.command("find_session", "GET", _key(session_id))
        return None if found is None else decoded(found, Session)

    async def close_session(self, session_id: Digest) -> None:
        await self._redis.command("close_session", "DEL", _key(session_id))


def _key(session_id: Digest) -> str:
    return f"oauth:session:{session_id}"
