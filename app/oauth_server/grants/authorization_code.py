"""The authorization code grant (RFC 6749 §4.1.3) with PKCE (RFC 7636 §4.5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.grants import delegation, digests
from oauth_server.grants.delegation import DelegatedTokens
from oauth_server.grants.interface import Issued
from oauth_server.models import Authorization, Client, GrantType
from oauth_server.protocol import opaque, pkce, refresh_token
from oauth_server.protocol.refresh_token import RefreshTokenValue
from oauth_server.store.interface import Codes, Digest, Proof


class AuthorizationCode:
    """`lifetime` is that of a family of refresh tokens, whatever it is rotated."""

    def __init__(self, codes: Codes, tokens: DelegatedTokens, lifetime: timedelta) -> None:
        self._codes = codes
        self._tokens = tokens
        self._lifetime = lifetime

    async def exchange(self, client: Client, parameters: Mapping[str, str]) -> Issued:
        code, code_verifier = parameters.get("code"), parameters.get("code_verifier")
        if code is None:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, "The code is missing.")
        if code_verifier is None:  # every code has a challenge (RFC 9700 §2.1.1)
            raise ProtocolError(ErrorCode.INVALID_REQUEST, "The code_verifier is missing.")
        code_challenge = pkce.challenge(code_verifier)
        if code_challenge is None:
            raise delegation.refused("code_verifier_malformed")
        spent = Digest(opaque.digest(code))
        # RFC 6749 §4.1.3: the redirect_uri, if and only if the authorization request had it.
        proof = Proof(client.client_id, parameters.get("redirect_uri", ""), code_challenge)

        found = delegation.accept(await self._codes.present_code(spent, proof), "code")
        first = _first_refresh_token(found, client)
        # Signed before the code is spent: a signer that is busy or gone costs the client nothing.
        issued = await self._tokens.issue(
            found, client, first, requested_resource=parameters.get("resource")
        )
        delegation.accept(
            await self._codes.redeem_code(
                spent, proof, digests.of(first) if first else None, lifetime=self._lifetime
            ),
            "code",
        )
        return issued


def _first_refresh_token(found: Authorization, client: Client) -> RefreshTokenValue | None:
    if GrantType.REFRESH_TOKEN not in client.grant_types:
        return None
    return refresh_token.first(found.family)
