"""What a client may learn of a token (RFC 7662 §2.2)."""

from __future__ import annotations

from collections.abc import Callable, Container

from oauth_server.grants import digests
from oauth_server.grants.presentation import Finding, State, Verifier
from oauth_server.models import Client
from oauth_server.protocol import refresh_token
from oauth_server.protocol.access_token import AccessToken
from oauth_server.protocol.claims import ClaimsError
from oauth_server.protocol.refresh_token import RefreshTokenValue
from oauth_server.store.interface import TokenIdentity

INACTIVE: dict[str, object] = {"active": False}
"""The same for all that a client must not tell apart (RFC 7662 §2.2)."""


class Introspection:
    """`clients` are those registered; `is_active` tells whether a subject may still log in."""

    def __init__(
        self,
        issuer: str,
        verifier: Verifier,
        state: State,
        clients: Container[str],
        is_active: Callable[[str], bool],
    ) -> None:
        self._issuer = issuer
        self._verifier = verifier
        self._state = state
        self._clients = clients
        self._is_active = is_active

    async def introspect(self, client: Client, token: str) -> tuple[dict[str, object], Finding]:
        """The answer for this client, and what the log says of it. Raises UnavailableError."""
        value = refresh_token.parse(token)
        if value is not None:
            return await self._refresh_token(client, value)
        try:
            found = self._verifier.verify(token)
        except ClaimsError as error:
            return INACTIVE, Finding(error.reason)
        return await self._access_token(client, found)

    async def _access_token(
        self, client: Client, token: AccessToken
    ) -> tuple[dict[str, object], Finding]:
        finding = Finding(jti=token.jti, family=token.family)
        # A client sees what was issued to it, and what is meant for the resource that it is.
        if token.client_id != client.client_id and client.resource not in token.audience:
            return INACTIVE, Finding("token_not_the_clients")
        if token.client_id not in self._clients:
            return INACTIVE, Finding("client_not_registered", finding.jti, finding.family)
        # Only a family stands for a user: a machine's subject is itself.
        if token.family is not None and not self._is_active(token.subject):
            return INACTIVE, Finding("user_not_active", finding.jti, finding.family)
        identity = TokenIdentity(
            jti=token.jti,
            subject=token.subject,
            client_id=token.client_id,
            issued_at=token.issued_at,
            family=token.family,
            kid=token.kid,
        )
        if await self._state.is_revoked(identity):
            return INACTIVE, Finding("token_revoked", finding.jti, finding.family)
        audience = token.audience
        answer: dict[str, object] = {
            "active": True,
            "token_type": "Bearer",
            "iss": token.issuer,
            "sub": token.subject,
            "aud": audience[0] if len(audience) == 1 else list(audience),
            "client_id": token.client_id,
            "scope": token.scope,
            "exp": token.expires,
            "iat": token.issued_at,
            "jti": token.jti,
        }
        return (answer if token.family is None else answer | {"username": token.subject}), finding

    async def _refresh_token(
        self, client: Client, value: RefreshTokenValue
    ) -> tuple[dict[str, object], Finding]:
        found = await self._state.find_refresh_token(digests.of(value))
        if found is None:
            return INACTIVE, Finding("refresh_token_not_valid")
        authorization, expires = found
        if authorization.client_id != client.client_id:
            return INACTIVE, Finding("token_not_the_clients")
        if not self._is_active(authorization.subject):
            return INACTIVE, Finding("user_not_active", family=authorization.family)
        return {
            "active": True,
            "iss": self._issuer,
            "sub": authorization.subject,
            "username": authorization.subject,
            "client_id": authorization.client_id,
            "scope": authorization.scope,
            "exp": expires,
        }, Finding(family=authorization.family)
