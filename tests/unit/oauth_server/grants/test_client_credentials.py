from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import pytest

from oauth_server.errors import ScopeNotRegisteredError
from oauth_server.grants.client_credentials import ClientCredentials
from oauth_server.grants.interface import Issued, TokenResponse
from oauth_server.grants.tokens import AccessTokens
from oauth_server.models import Client, GrantType

ISSUER = "https://auth.example.com"


class RecordingSigner:
    def __init__(self) -> None:
        self.signed: list[tuple[str, dict[str, object]]] = []

    async def sign(self, typ: str, claims: dict[str, object]) -> str:
        self.signed.append((typ, claims))
        return f"token-{len(self.signed)}"


def exchange(
    signer: RecordingSigner, parameters: Mapping[str, str], audience: tuple[str, ...] = ()
) -> Issued:
    client = Client(
        client_id="gateway_01",
        grant_types=(GrantType.CLIENT_CREDENTIALS,),
        scope="a b",
        audience=audience,
    )
    tokens = AccessTokens(ISSUER, timedelta(minutes=5), signer, clock=lambda: 1000.9)
    return asyncio.run(ClientCredentials(tokens, ISSUER).exchange(client, parameters))


def test_the_response_and_the_token_agree() -> None:
    signer = RecordingSigner()
    issued = exchange(signer, {"scope": "b"})
    assert issued.response == TokenResponse(access_token="token-1", expires_in=300, scope="b")
    assert issued.response.token_type == "Bearer"
    ((typ, claims),) = signer.signed
    assert typ == "at+jwt"
    assert claims == {
        "iss": ISSUER,
        "sub": "gateway_01",
        "aud": ISSUER,
        "exp": 1300,
        "iat": 1000,
        "jti": issued.jti,
        "client_id": "gateway_01",
        "scope": "b",
    }


def test_an_omitted_scope_is_everything_registered() -> None:
    assert exchange(RecordingSigner(), {}).response.scope == "a b"


def test_a_scope_that_is_not_registered_signs_nothing() -> None:
    signer = RecordingSigner()
    with pytest.raises(ScopeNotRegisteredError):
        exchange(signer, {"scope": "a c"})
    assert signer.signed == []


def test_the_audience_is_the_clients_own() -> None:
    signer = RecordingSigner()
    exchange(signer, {}, audience=("https://api.example.com",))
    assert signer.signed[0][1]["aud"] == "https://api.example.com"


def test_no_two_tokens_have_one_jti() -> None:
    signer = RecordingSigner()
    for _ in range(100):
        exchange(signer, {})
    identifiers = {str(claims["jti"]) for _, claims in signer.signed}
    assert len(identifiers) == 100
    assert all(len(jti) == 22 for jti in identifiers)  # 128 bits
