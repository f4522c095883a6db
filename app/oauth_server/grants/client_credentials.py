"""The client credentials grant (RFC 6749 §4.4)."""

from __future__ import annotations

from collections.abc import Mapping

from oauth_server.grants.interface import Issued
from oauth_server.grants.tokens import AccessTokens
from oauth_server.models import Client
from oauth_server.protocol import resource, scope


class ClientCredentials:
    def __init__(self, tokens: AccessTokens, issuer: str) -> None:
        self._tokens = tokens
        self._issuer = issuer

    async def exchange(self, client: Client, parameters: Mapping[str, str]) -> Issued:
        granted = scope.granted(parameters.get("scope"), client.scope)
        return await self._tokens.issue(
            client_id=client.client_id,
            # RFC 9068 §2.2: without a resource owner the subject is the client.
            subject=client.client_id,
            audience=resource.audience(parameters.get("resource"), client, self._issuer),
            scope=granted,
        )
