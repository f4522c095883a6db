"""Used assertion ids, in Redis."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import msgspec

from oauth_server.store.redis.part import Part, milliseconds


class RedisAssertions(Part):
    async def use_assertion(self, client_id: str, jti: str, *, lifetime: timedelta) -> bool:
        reply = await self._redis.command(
            "use_assertion",
            *("SET", _key(client_id, jti), "1", "NX", "PX", milliseconds(lifetime)),
        )
        return reply is not None


def _key(client_id: str, jti: str) -> str:
    # The client chooses the jti, and its length.
    digest = hashlib.sha256(msgspec.json.encode((client_id, jti))).hexdigest()
    return f"oauth:assertion:{digest}"
