"""Revocations, in Redis: a key for each, and the stream `revocations` for the edges."""

from __future__ import annotations

import sys

from oauth_server.store.interface import RevocationKind, TokenIdentity
from oauth_server.store.redis import scripts
from oauth_server.store.redis.part import REVOCATIONS, Part


class RedisDenylist(Part):
    async def revoke(self, kind: RevocationKind, value: str, *, until: int | None = None) -> None:
        ends = () if until is None else (until,)
        await self._redis.script(scripts.REVOKE, REVOCATIONS, kind.value, value, *ends)

    async def is_revoked(self, token: TokenIdentity) -> bool:
        subject, client, *by_name = await self._redis.command(
            "is_revoked",
            "MGET",
            _key(RevocationKind.SUBJECT, token.subject),
            _key(RevocationKind.CLIENT, token.client_id),
            _key(RevocationKind.JTI, token.jti),
            *([] if token.family is None else [_key(RevocationKind.FAMILY, token.family)]),
            *([] if token.kid is None else [_key(RevocationKind.KEY, token.kid)]),
        )
        return any(by_name) or any(
            token.issued_at <= _second(revocation) for revocation in (subject, client) if revocation
        )


def _key(kind: RevocationKind, value: str) -> str:
    return f"oauth:revoked:{kind.value}:{value}"


def _second(revocation: str) -> int:
    """When it was issued: the script writes microseconds first.

    What else somebody may have written there revokes everything until it is gone.
    """
    try:
        return int(revocation.partition(" ")[0]) // 1_000_000
    except ValueError:
        return sys.maxsize
