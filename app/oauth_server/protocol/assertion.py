"""Assertions by which a client authenticates with a key of its own (RFC 7523 §2.2, §3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from oauth_server.protocol import claims
from oauth_server.protocol.claims import ClaimsError
from oauth_server.protocol.jws import Jws

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TYPES = {None, "JWT", "client-authentication+jwt"}
_MAX_AHEAD = timedelta(minutes=5)
_MALFORMED = "assertion_malformed"


@dataclass(frozen=True)
class Assertion:
    """`expires` is seconds since the epoch, leeway included."""

    client_id: str
    jti: str
    expires: float


def claimed_client_id(assertion: Jws) -> str:
    """Whose key is to verify it: nothing is proved by it. Raises ClaimsError."""
    return claims.text(assertion.claims, "iss", reason=_MALFORMED)


def read(assertion: Jws, *, issuer: str, now: float, leeway: timedelta) -> Assertion:
    """The content of an assertion whose signature was verified. Raises ClaimsError."""
    if assertion.typ not in _TYPES:  # RFC 8725 §3.11: an access token is no assertion
        raise ClaimsError("assertion_typ")
    found = assertion.claims
    client_id = claimed_client_id(assertion)
    if found.get("sub") != client_id:  # RFC 7523 §3, points 1 and 2
        raise ClaimsError("assertion_subject")
    # A list, or the URL of one endpoint, lets an attacker's server obtain an assertion that is
    # good here, too: CVE-2025-27370 and -27371, which RFC 7523 did not exclude.
    if found.get("aud") != issuer:
        raise ClaimsError("assertion_audience")
    slack = leeway.total_seconds()
    try:
        expires = claims.check_times(found, now=now, leeway=slack, iat=False, reason=_MALFORMED)
    except ClaimsError as error:
        raise ClaimsError(error.reason.replace("token_", "assertion_")) from None
    # Its jti must be remembered for so long.
    if expires > now + _MAX_AHEAD.total_seconds() + slack:
        raise ClaimsError("assertion_too_long")
    return Assertion(client_id, claims.text(found, "jti", reason=_MALFORMED), expires + slack)
