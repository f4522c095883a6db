"""The registered claims of a JWT (RFC 7519 §4.1), each with its type."""

from __future__ import annotations

from collections.abc import Mapping

_MAX_TEXT = 256


class ClaimsError(Exception):
    """A claim is missing or not what it must be. `reason` is a word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def text(claims: Mapping[str, object], name: str, *, reason: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
        raise ClaimsError(reason)
    return value


def time(claims: Mapping[str, object], name: str, *, reason: str) -> int:
    """Seconds since the epoch, whole: a fraction, or a truth value, is refused."""
    value = claims.get(name)
    if type(value) is not int or value < 0:  # a bool is an int to isinstance
        raise ClaimsError(reason)
    return value


def check_times(
    claims: Mapping[str, object], *, now: float, leeway: float, iat: bool, reason: str
) -> int:
    """`exp`, checked with `nbf` and `iat` where they are; `iat` says whether it must be there.

    Raises ClaimsError, with `token_expired` or `token_not_yet_valid` where it is about now.
    """
    expires = time(claims, "exp", reason=reason)
    # RFC 7519 §4.1.4: "on or after which the JWT MUST NOT be accepted".
    if now >= expires + leeway:
        raise ClaimsError("token_expired")
    for name in ("nbf", "iat"):
        if name not in claims and not (iat and name == "iat"):
            continue
        if time(claims, name, reason=reason) > now + leeway:  # RFC 7519 §4.1.5
            raise ClaimsError("token_not_yet_valid")
    return expires
