"""The refresh token grant (RFC 6749 §6), with rotation (RFC 9700 §4.14.2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.grants import delegation, digests
from oauth_server.grants.delegation import DelegatedTokens
from oauth_server.grants.interface import Issued
from oauth_server.models import Client
from oauth_server.protocol import refresh_token
from oauth_server.store.interface import Families


class RefreshTokenGrant:
    """`grace` is how long a token whose successor may have been lost is forgiven."""

    def __init__(self, families: Families, tokens: DelegatedTokens, grace: timedelta) -> None:
        self._families = families
        self._tokens = tokens
        self._grace = grace

    async def exchange(self, client: Client, parameters: Mapping[str, str]) -> Issued:
        text = parameters.get("refresh_token")
        if text is None:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, "The refresh_token is missing.")
        presented = refresh_token.parse(text)
        if presented is None:
            raise delegation.refused("refresh_token_malformed")
        token = digests.of(presented)
        found = delegation.accept(
            await self._families.present_refresh_token(token, client.client_id, grace=self._grace),
            "refresh_token",
        )
        successor = refresh_token.successor(presented)
        # Signed before the token is rotated, as with a code.
        issued = await self._tokens.issue(
            found,
            client,
            successor,
            requested_scope=parameters.get("scope"),
            requested_resource=parameters.get("resource"),
        )
        delegation.accept(
            await self._families.rotate_refresh_token(
                token, client.client_id, digests.of(successor).secret, grace=self._grace
            ),
            "refresh_token",
        )
        return issued
