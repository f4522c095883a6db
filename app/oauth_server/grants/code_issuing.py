"""Authorization codes for what a user has allowed (RFC 6749 §4.1.2)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from oauth_server.models import Authorization, GrantType
from oauth_server.protocol import opaque
from oauth_server.protocol.authorization_request import AuthorizationRequest
from oauth_server.store.interface import TOKENS_LIVE, Codes, Digest, Proof, Session


@dataclass(frozen=True)
class IssuedCode:
    """`family` names all that the code will buy; it is no secret."""

    code: str
    family: str


class CodeIssuer:
    """`refresh_lifetime` and `access_lifetime` are how long what a code buys can live, the latter
    with the leeway that it is accepted for.
    """

    def __init__(
        self,
        codes: Codes,
        timeout: timedelta,
        refresh_lifetime: timedelta,
        access_lifetime: timedelta,
    ) -> None:
        self._codes = codes
        self._timeout = timeout
        self._refresh_lifetime = refresh_lifetime
        self._access_lifetime = access_lifetime

    async def issue(self, request: AuthorizationRequest, session: Session) -> IssuedCode:
        """Raises UnavailableError."""
        issued = IssuedCode(code=opaque.make(), family=secrets.token_urlsafe(16))
        client = request.client
        bought = self._access_lifetime
        if GrantType.REFRESH_TOKEN in client.grant_types:
            # The last one buys an access token, too: how long that lives is decided then.
            bought = self._refresh_lifetime + TOKENS_LIVE
        await self._codes.save_code(
            Digest(opaque.digest(issued.code)),
            Proof(client.client_id, request.redirect_uri, request.code_challenge),
            Authorization(
                family=issued.family,
                client_id=client.client_id,
                subject=session.subject,
                scope=request.scope,
                audience=request.audience,
                auth_time=session.auth_time,
            ),
            lifetime=self._timeout,
            remembered=bought,
        )
        return issued
