"""Refresh token families, in memory."""

from __future__ import annotations

from datetime import timedelta

from oauth_server.models import Authorization
from oauth_server.store.interface import Digest, RefreshToken, Replay, RevocationKind
from oauth_server.store.memory.part import Part
from oauth_server.store.memory.state import Family


class MemoryFamilies(Part):
    async def present_refresh_token(
        self, token: RefreshToken, client_id: str, *, grace: timedelta
    ) -> Authorization | Replay | None:
        found = self._judge_token(token, client_id, grace)
        return found.authorization if isinstance(found, Family) else found

    async def rotate_refresh_token(
        self, token: RefreshToken, client_id: str, successor: Digest, *, grace: timedelta
    ) -> Authorization | Replay | None:
        found = self._judge_token(token, client_id, grace)
        if not isinstance(found, Family):
            return found
        if token.secret == found.current:
            found.previous, found.rotated = found.current, self._state.now()
        found.current = successor
        return found.authorization

    async def find_refresh_token(self, token: RefreshToken) -> tuple[Authorization, int] | None:
        family = self._live(token)
        ends = self._state.families.ends(token.family)
        if family is None or ends is None or token.secret != family.current:
            return None
        return family.authorization, int(ends)

    def _judge_token(
        self, token: RefreshToken, client_id: str, grace: timedelta
    ) -> Family | Replay | None:
        family = self._live(token)
        if family is None or family.authorization.client_id != client_id:
            return None
        if token.secret == family.current:
            return family
        since = self._state.now() - family.rotated
        if token.secret == family.previous and 0 <= since < grace.total_seconds():
            return family
        self._state.revoke(RevocationKind.FAMILY, token.family)
        return Replay(token.family)

    def _live(self, token: RefreshToken) -> Family | None:
        family = self._state.families.get(token.family)
        if (
            family is None
            or family.handle != token.handle
            or self._state.is_dead(family.authorization, family.born)
        ):
            return None
        return family
