"""Tokens that a client shows to revoke them or to ask about them: which they are, and whose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from oauth_server.protocol.access_token import AccessToken
from oauth_server.store.interface import Denylist, Families, RevocationKind


class Verifier(Protocol):
    def verify(self, token: str) -> AccessToken:
        """An access token of this issuer that is valid now. Raises ClaimsError."""


class State(Families, Denylist, Protocol):
    """What of a store is asked."""


@dataclass(frozen=True)
class Finding:
    """What is said of a token in the log: an error word, and its names if they are certain.

    `revoked` is the kind of what was revoked with it, for those who count.
    """

    error: str = ""
    jti: str | None = None
    family: str | None = None
    revoked: RevocationKind | None = None
