"""Access tokens: the JWT profile of RFC 9068."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

TYP = "at+jwt"


def claims(
    *,
    issuer: str,
    subject: str,
    audience: Sequence[str],
    client_id: str,
    scope: str,
    jti: str,
    issued_at: int,
    lifetime: timedelta,
    family: str | None = None,
) -> dict[str, object]:
    """The claims of RFC 9068 §2.2; times are seconds since the epoch.

    `family` is a claim of our own: a revocation may name it.
    """
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": subject,
        # RFC 7519 §4.1.3: a single audience may be a string, which every consumer understands.
        "aud": audience[0] if len(audience) == 1 else list(audience),
        "exp": issued_at + int(lifetime.total_seconds()),
        "iat": issued_at,
        "jti": jti,
        "client_id": client_id,
        "scope": scope,
    }
    if family is not None:
        claims["family"] = family
    return claims
