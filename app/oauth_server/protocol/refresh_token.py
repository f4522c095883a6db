"""Refresh tokens: a family's name, a handle that stays, and a secret that changes each time.

Only who held a token of the family knows the handle. So a family that was revoked for a reuse was
revoked by one who held a token, and not by one who read the family's name in a log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from oauth_server.protocol import opaque

_REFRESH_TOKEN = re.compile(
    r"(?P<family>[A-Za-z0-9_-]{22})(?P<handle>[A-Za-z0-9_-]{43})(?P<secret>[A-Za-z0-9_-]{43})"
)


@dataclass(frozen=True)
class RefreshTokenValue:
    """A refresh token in clear: for its client alone."""

    family: str
    handle: str = field(repr=False)
    secret: str = field(repr=False)

    def encode(self) -> str:
        return self.family + self.handle + self.secret


def first(family: str) -> RefreshTokenValue:
    """A family's first token; `family` are 22 characters of base64url."""
    return RefreshTokenValue(family, opaque.make(), opaque.make())


def successor(token: RefreshTokenValue) -> RefreshTokenValue:
    return RefreshTokenValue(token.family, token.handle, opaque.make())


def parse(text: str) -> RefreshTokenValue | None:
    """The token, if it has the form of one."""
    found = _REFRESH_TOKEN.fullmatch(text)
    return RefreshTokenValue(**found.groupdict()) if found else None
