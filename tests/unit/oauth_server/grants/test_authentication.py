from __future__ import annotations

import asyncio
from datetime import timedelta
from unittest import mock

import msgspec
import pytest

from oauth_server.errors import ErrorCode, ProtocolError, UnavailableError
from oauth_server.grants.authentication import ClientAuthenticator
from oauth_server.keys import algorithms
from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm, AuthMethod, Client, GrantType, Jwks
from oauth_server.protocol import client_secret, jws
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


ISSUER = "https://a.example"
KEY = PrivateKey.generate(Algorithm.ES256)


def device(kid: str = KEY.public.kid) -> Client:
    return msgspec.structs.replace(
        client("device", AuthMethod.PRIVATE_KEY_JWT),
        client_secret_hash=None,
        jwks=Jwks(keys=({**KEY.public.to_jwk(), "kid": kid},)),
    )


class Clock:
    """Authentication of one device, at a time that stands."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.behind = 0.0
        self.authenticator = ClientAuthenticator(
            {"device": device(), "basic": client("basic", BASIC)},
            MemoryStore(clock=lambda: self.now), ISSUER, timedelta(seconds=30),
            lambda: self.now - self.behind,
        )  # fmt: skip

    def assertion(self, client_id: str = "device", **changes: object) -> Credentials:
        claims = {
            "iss": client_id, "sub": client_id, "aud": ISSUER, "exp": 1300, "jti": "j", **changes
        }  # fmt: skip
        sent = jws.parse(KEY.sign("JWT", claims))
        return Credentials(AuthMethod.PRIVATE_KEY_JWT, client_id, assertion=sent)

    def reason(self, credentials: Credentials) -> str | None:
        try:
            asyncio.run(self.authenticator.authenticate(credentials))
        except UnavailableError:
            raise
        except ProtocolError as refused:
            return refused.reason if refused.code is ErrorCode.INVALID_CLIENT else refused.code
        return None


def test_an_assertion_is_good_once_for_as_long_as_it_could_be_good() -> None:
    """RFC 7523 §3, point 7: it is forgotten when it has expired anyway."""
    clock = Clock()
    assert clock.reason(clock.assertion()) is None
    for clock.now in (1000.0, 1299.0, 1329.9):
        assert clock.reason(clock.assertion()) == "assertion_replayed"
    clock.now = 1330.0
    assert clock.reason(clock.assertion()) == "assertion_expired"
    clock.now = 1360.0
    assert clock.reason(clock.assertion(exp=1400)) is None


def test_a_replay_is_noticed_by_a_server_that_is_late() -> None:
    """RFC 7523 §3, point 7: its clock calls valid what has expired by the first one's."""
    clock = Clock()
    assert clock.reason(clock.assertion()) is None
    clock.now, clock.behind = 1359.0, 30.0
    assert clock.reason(clock.assertion()) == "assertion_replayed"


def test_an_assertion_that_is_refused_uses_nothing_up() -> None:
    clock = Clock()
    assert clock.reason(clock.assertion(aud=[ISSUER])) == "assertion_audience"
    assert clock.reason(clock.assertion()) is None


def test_an_unknown_client_costs_the_same_verifications_as_a_known_one() -> None:
    """No oracle for clients: who exists, and who authenticates by what."""
    clock = Clock()
    for client_id in ("device", "unknown", "basic"):
        credentials = clock.assertion(client_id, exp=1)
        with (
            mock.patch.object(algorithms, "verifies", side_effect=algorithms.verifies) as verified,
            mock.patch.object(client_secret, "digest", side_effect=client_secret.digest) as hashed,
        ):
            assert clock.reason(credentials) is not None
        assert (verified.call_count, hashed.call_count) == (1, 0)


def test_a_client_with_a_key_has_no_secret() -> None:
    clock = Clock()
    for method in (BASIC, POST, NONE):
        assert clock.reason(Credentials(method, "device", "")) == "method_not_registered"


def test_without_a_memory_of_what_was_used_nobody_gets_in() -> None:
    """A replay that nobody can notice is no proof: 503, not a token."""
    clock = Clock()
    gone = UnavailableError("The store is gone.", reason="store_connection")
    store = mock.Mock(use_assertion=mock.AsyncMock(side_effect=gone))
    clock.authenticator = ClientAuthenticator(
        {"device": device()}, store, ISSUER, timedelta(seconds=30), lambda: clock.now
    )
    with pytest.raises(UnavailableError):
        clock.reason(clock.assertion())
