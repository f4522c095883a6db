"""What a store may see of a refresh token."""

from __future__ import annotations

from oauth_server.protocol import opaque
from oauth_server.protocol.refresh_token import RefreshTokenValue
from oauth_server.store.interface import Digest, RefreshToken


def of(token: RefreshTokenValue) -> RefreshToken:
    return RefreshToken(
        token.family, Digest(opaque.digest(token.handle)), Digest(opaque.digest(token.secret))
    )
