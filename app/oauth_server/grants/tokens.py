"""Makes access tokens, whatever the grant."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec

from oauth_server.grants.interface import Issued, TokenResponse
from oauth_server.keys.signer import Signer
from oauth_server.protocol import access_token, base64url
from oauth_server.protocol.refresh_token import RefreshTokenValue


class AccessTokens:
    """`clock` gives seconds since the epoch."""

    def __init__(
        self,
        issuer: str,
        lifetime: timedelta,
        signer: Signer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._expires_in = int(lifetime.total_seconds())
        self._signer = signer
        self._clock = clock

    async def issue(
        self,
        *,
        client_id: str,
        subject: str,
        audience: Sequence[str],
        scope: str,
        refresh_token: RefreshTokenValue | None = None,
        family: str | None = None,
    ) -> Issued:
        """Raises UnavailableError."""
        jti = base64url.encode(secrets.token_bytes(16))
        claims = access_token.claims(
            issuer=self._issuer,
            subject=subject,
            audience=audience,
            client_id=client_id,
            scope=scope,
            jti=jti,
            issued_at=int(self._clock()),
            expires_in=self._expires_in,
            family=family,
        )
        response = TokenResponse(
            access_token=await self._signer.sign(access_token.TYP, claims),
            expires_in=self._expires_in,
            scope=scope,
            refresh_token=refresh_token.encode() if refresh_token else msgspec.UNSET,
        )
        return Issued(jti, response, family)
