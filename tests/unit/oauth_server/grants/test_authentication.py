from __future__ import annotations

import asyncio
from datetime import timedelta
from unittest import mock

import pytest

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.grants.authentication import ClientAuthenticator
from oauth_server.models import AuthMethod, Client, GrantType
from oauth_server.protocol import client_secret
from oauth_server.protocol.credentials import Credentials
from oauth_server.store.memory import MemoryStore

BASIC, POST, NONE = (
    AuthMethod.CLIENT_SECRET_BASIC,
    AuthMethod.CLIENT_SECRET_POST,
    AuthMethod.NONE,
)  # fmt: skip


def client(client_id: str, method: AuthMethod) -> Client:
    return Client(
        client_id=client_id,
        grant_types=(GrantType.CLIENT_CREDENTIALS,),
        scope="a",
        token_endpoint_auth_method=method,
        client_secret_hash=None if method is NONE else client_secret.digest("right"),
    )


AUTHENTICATOR = ClientAuthenticator(
    {"basic": client("basic", BASIC), "post": client("post", POST), "none": client("none", NONE)},
    MemoryStore(),
    "https://a.example",
    timedelta(seconds=30),
)


def refusal(credentials: Credentials) -> ProtocolError:
    with pytest.raises(ProtocolError) as refused:
        asyncio.run(AUTHENTICATOR.authenticate(credentials))
    return refused.value


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials(BASIC, "basic", "right"),
        Credentials(POST, "post", "right"),
        Credentials(NONE, "none"),
    ],
)
def test_a_client_is_who_proves_it_by_its_method(credentials: Credentials) -> None:
    client = asyncio.run(AUTHENTICATOR.authenticate(credentials))
    assert client.client_id == credentials.client_id


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        (Credentials(BASIC, "basic", "wrong"), "wrong_secret"),
        (Credentials(BASIC, "basic", ""), "wrong_secret"),
        (Credentials(POST, "basic", "right"), "method_not_registered"),
        (Credentials(BASIC, "post", "right"), "method_not_registered"),
        (Credentials(NONE, "basic"), "method_not_registered"),
        (Credentials(BASIC, "none", "right"), "method_not_registered"),
        (Credentials(BASIC, "unknown", "right"), "unknown_client"),
        (Credentials(NONE, "unknown"), "unknown_client"),
    ],
)
def test_everybody_else_gets_the_same_answer(credentials: Credentials, reason: str) -> None:
    """Only the log tells why."""
    refused = refusal(credentials)
    assert refused.code is ErrorCode.INVALID_CLIENT
    assert refused.description == "Client authentication failed."
    assert refused.reason == reason


def test_an_unknown_client_costs_the_same_hashes_as_a_known_one() -> None:
    for credentials in (
        Credentials(BASIC, "basic", "wrong"),
        Credentials(BASIC, "unknown", "wrong"),
        Credentials(POST, "basic", "wrong"),
        Credentials(NONE, "unknown"),
    ):
        with mock.patch.object(client_secret, "digest", side_effect=client_secret.digest) as hashed:
            refusal(credentials)
        assert hashed.call_count == 1
