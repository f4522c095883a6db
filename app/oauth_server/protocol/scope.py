"""Scopes (RFC 6749 §3.3): case-sensitive tokens with one space between them."""

from __future__ import annotations

import re

from oauth_server.errors import ErrorCode, ProtocolError, ScopeNotRegisteredError

_WORD = r"[\x21\x23-\x5b\x5d-\x7e]+"
_SCOPE = re.compile(rf"{_WORD}(?: {_WORD})*")


def is_well_formed(scope: str) -> bool:
    return _SCOPE.fullmatch(scope) is not None


def granted(requested: str | None, registered: str) -> str:
    """The scope to grant: what was asked for, or everything registered when nothing was.

    Nothing is narrowed silently: one scope too many refuses the whole request. Raises
    ProtocolError with `invalid_scope`.
    """
    if requested is None:
        return registered
    wanted = _words(requested)
    if not wanted.keys() <= set(registered.split(" ")):
        raise ScopeNotRegisteredError
    return " ".join(wanted)


def narrowed(requested: str | None, granted: str) -> str:
    """The scope of a refresh: what was asked for within what was granted (RFC 6749 §6).

    Raises ProtocolError with `invalid_scope`.
    """
    if requested is None:
        return granted
    wanted = _words(requested)
    if not wanted.keys() <= set(granted.split(" ")):
        raise ProtocolError(
            ErrorCode.INVALID_SCOPE,
            "The scope exceeds what was granted.",
            reason="scope_not_granted",
        )
    return " ".join(wanted)


def common(granted: str, registered: str) -> str:
    """What was granted and is still registered; empty if nothing is."""
    still = set(registered.split(" "))
    return " ".join(word for word in granted.split(" ") if word in still)


def _words(requested: str) -> dict[str, None]:
    if not is_well_formed(requested):
        raise ProtocolError(
            ErrorCode.INVALID_SCOPE, "The scope is malformed.", reason="scope_malformed"
        )
    return dict.fromkeys(requested.split(" "))
