"""Refresh token families, in Redis."""

from __future__ import annotations

from datetime import timedelta

from oauth_server.models import Authorization
from oauth_server.store.interface import Digest, RefreshToken, Replay
from oauth_server.store.redis import scripts
from oauth_server.store.redis.part import REVOCATIONS, Part, decoded, outcome


class RedisFamilies(Part):
    async def present_refresh_token(
        self, token: RefreshToken, client_id: str, *, grace: timedelta
    ) -> Authorization | Replay | None:
        return outcome(
            await self._redis.script(
                scripts.PRESENT_REFRESH_TOKEN,
                _keys(token),
                token.family,
                token.handle,
                token.secret,
                client_id,
                grace // timedelta(microseconds=1),
            )
        )

    async def rotate_refresh_token(
        self, token: RefreshToken, client_id: str, successor: Digest, *, grace: timedelta
    ) -> Authorization | Replay | None:
        return outcome(
            await self._redis.script(
                scripts.ROTATE_REFRESH_TOKEN,
                _keys(token),
                token.family,
                token.handle,
                token.secret,
                client_id,
                grace // timedelta(microseconds=1),
                successor,
            )
        )

    async def find_refresh_token(self, token: RefreshToken) -> tuple[Authorization, int] | None:
        found = await self._redis.script(
            scripts.FIND_REFRESH_TOKEN, _keys(token), token.family, token.handle, token.secret
        )
        return None if found is None else (decoded(found[0], Authorization), found[1])


def _keys(token: RefreshToken) -> list[str]:
    return [*REVOCATIONS, f"oauth:family:{token.family}"]
