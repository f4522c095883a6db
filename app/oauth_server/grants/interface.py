"""What the token endpoint asks of a grant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from oauth_server.models import Client


class TokenResponse(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 6749 §5.1; `expires_in` is seconds."""

    access_token: str
    expires_in: int
    scope: str
    token_type: str = "Bearer"  # noqa: S105 - a type, not a token
    refresh_token: str | msgspec.UnsetType = msgspec.UNSET


class Issued(msgspec.Struct, frozen=True):
    """The answer to the client, and for the log the token's `jti` and its family, if it has one:
    who revokes them names them so.
    """

    jti: str
    response: TokenResponse
    family: str | None = None

    def __repr__(self) -> str:
        """Without the token."""
        return f"Issued({self.jti!r}, family={self.family!r})"


class Grant(Protocol):
    async def exchange(self, client: Client, parameters: Mapping[str, str]) -> Issued:
        """A token for a client that is authenticated and registered for this grant.

        Raises ProtocolError.
        """
