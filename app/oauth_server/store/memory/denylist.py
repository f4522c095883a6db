"""Revocations, in memory: there are no edges to tell."""

from __future__ import annotations

from oauth_server.store.interface import RevocationKind, TokenIdentity
from oauth_server.store.memory.part import Part


class MemoryDenylist(Part):
    async def revoke(self, kind: RevocationKind, value: str, *, until: int | None = None) -> None:
        self._state.revoke(kind, value, until)

    async def is_revoked(self, token: TokenIdentity) -> bool:
        known = self._state.revocations
        if known.get((RevocationKind.JTI, token.jti)) is not None:
            return True
        if token.family is not None and known.get((RevocationKind.FAMILY, token.family)):
            return True
        if token.kid is not None and known.get((RevocationKind.KEY, token.kid)):
            return True
        return any(
            revocation is not None and token.issued_at <= revocation.issued
            for revocation in (
                known.get((RevocationKind.SUBJECT, token.subject)),
                known.get((RevocationKind.CLIENT, token.client_id)),
            )
        )
