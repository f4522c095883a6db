"""Access tokens: the JWT profile of RFC 9068."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from oauth_server.protocol import claims as registered
from oauth_server.protocol.claims import ClaimsError
from oauth_server.protocol.jws import Jws

TYP = "at+jwt"
_TYPES = {TYP, "application/at+jwt"}
_MALFORMED = "token_malformed"


@dataclass(frozen=True)
class AccessToken:
    """What a token says; `expires` and `issued_at` are seconds since the epoch."""

    issuer: str
    subject: str
    audience: tuple[str, ...]
    client_id: str
    scope: str
    jti: str
    issued_at: int
    expires: int
    family: str | None = None
    kid: str | None = None


def claims(
    *,
    issuer: str,
    subject: str,
    audience: Sequence[str],
    client_id: str,
    scope: str,
    jti: str,
    issued_at: int,
    expires_in: int,
    family: str | None = None,
) -> dict[str, object]:
    """The claims of RFC 9068 §2.2; `issued_at` is seconds since the epoch, `expires_in` seconds.

    `family` is a claim of our own: a revocation may name it.
    """
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": subject,
        # RFC 7519 §4.1.3: a single audience may be a string, which every consumer understands.
        "aud": audience[0] if len(audience) == 1 else list(audience),
        "exp": issued_at + expires_in,
        "iat": issued_at,
        "jti": jti,
        "client_id": client_id,
        "scope": scope,
    }
    if family is not None:
        claims["family"] = family
    return claims


def read(
    token: Jws, *, issuer: str, now: float, leeway: timedelta, audience: str | None = None
) -> AccessToken:
    """The content of a token whose signature was verified (RFC 9068 §4).

    `audience` is the resource server that asks; None is for the issuer itself. Raises ClaimsError.
    """
    # RFC 8725 §3.11: an ID token or an assertion by the same key is no access token.
    if token.typ not in _TYPES:
        raise ClaimsError("token_typ")
    found = token.claims
    if found.get("iss") != issuer:  # the whole string: a prefix is somebody else's name
        raise ClaimsError("token_issuer")
    audiences = _audience(found.get("aud"))
    if audience is not None and audience not in audiences:
        raise ClaimsError("token_audience")
    expires = registered.check_times(
        found, now=now, leeway=leeway.total_seconds(), iat=True, reason=_MALFORMED
    )
    family = found.get("family")
    scope = found.get("scope", "")
    if not isinstance(scope, str) or not (family is None or isinstance(family, str)):
        raise ClaimsError(_MALFORMED)
    return AccessToken(
        issuer=issuer,
        subject=registered.text(found, "sub", reason=_MALFORMED),
        audience=audiences,
        client_id=registered.text(found, "client_id", reason=_MALFORMED),
        scope=scope,
        jti=registered.text(found, "jti", reason=_MALFORMED),
        issued_at=registered.time(found, "iat", reason=_MALFORMED),
        expires=expires,
        family=family,
        kid=token.kid,
    )


def _audience(value: object) -> tuple[str, ...]:
    """RFC 7519 §4.1.3: a string, or an array of them."""
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)) or not values:
        raise ClaimsError(_MALFORMED)
    if not all(isinstance(item, str) and item for item in values):
        raise ClaimsError(_MALFORMED)
    return tuple(values)
