"""Clients that nobody here wrote get tokens."""

from __future__ import annotations

import time
from typing import Any

import pytest
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey
from oauthlib.oauth2 import BackendApplicationClient
from oauthlib.oauth2.rfc6749.errors import InvalidScopeError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from tests.server.conftest import DEVICE_KEY, SCOPE, SECRET, URL_SAFE_SECRET
from tests.server.process import Server


def token_url(server: Server) -> str:
    return f"https://127.0.0.1:{server.tcp[1]}/token"


@pytest.mark.parametrize(
    ("client_id", "secret", "method"),
    [
        # Authlib does not form-urlencode within Basic (RFC 6749 §2.3.1): our secrets need none.
        ("machine", URL_SAFE_SECRET, "client_secret_basic"),
        ("poster", SECRET, "client_secret_post"),
    ],
    ids=["basic", "post"],
)
def test_authlib_gets_a_token(server: Server, client_id: str, secret: str, method: str) -> None:
    session = AuthlibSession(client_id, secret, scope=SCOPE, token_endpoint_auth_method=method)
    token = session.fetch_token(
        token_url(server), grant_type="client_credentials", verify=str(server.certificate)
    )
    assert token["scope"] == SCOPE
    assert token["access_token"].count(".") == 2


def test_requests_oauthlib_gets_a_token(server: Server) -> None:
    session = OAuth2Session(client=BackendApplicationClient("poster", scope=SCOPE.split()))
    token = session.fetch_token(
        token_url(server), client_id="poster", client_secret=SECRET, include_client_id=True,
        verify=str(server.certificate),
    )  # fmt: skip
    assert token["scope"] == SCOPE.split()
    assert token["expires_in"] == 600


def test_requests_oauthlib_understands_a_refusal(server: Server) -> None:
    session = OAuth2Session(client=BackendApplicationClient("gateway_01", scope=["admin"]))
    with pytest.raises(InvalidScopeError):
        session.fetch_token(
            token_url(server), auth=HTTPBasicAuth("gateway_01", "a secret of%3A 100%25 %2B more"),
            verify=str(server.certificate),
        )  # fmt: skip


class ShortLived(PrivateKeyJWT):  # type: ignore[misc]  # Authlib is untyped
    """Authlib's assertions live for an hour, and with claims of one's own share their jti."""

    def sign(self, auth: Any, token_endpoint: str) -> Any:
        self.claims = {"exp": int(time.time()) + 60}
        return super().sign(auth, token_endpoint)


def test_authlib_proves_itself_by_a_key(server: Server) -> None:
    """RFC 7523, with the issuer as the audience."""
    session = AuthlibSession(
        "device", ECKey.import_key(DEVICE_KEY.to_pem()), scope=SCOPE,
        token_endpoint_auth_method=ShortLived(
            token_endpoint="https://127.0.0.1", alg="ES256",
            headers={"kid": DEVICE_KEY.public.kid},
        ),
    )  # fmt: skip
    for _ in range(2):  # each time another jti
        token = session.fetch_token(
            token_url(server), grant_type="client_credentials", verify=str(server.certificate)
        )
        assert token["scope"] == SCOPE


def test_authlib_asks_about_its_token_and_gives_it_back(server: Server) -> None:
    session = AuthlibSession("machine", URL_SAFE_SECRET, scope=SCOPE)
    base, verify = f"https://127.0.0.1:{server.tcp[1]}", str(server.certificate)
    token = session.fetch_token(
        token_url(server), grant_type="client_credentials", verify=verify
    )["access_token"]  # fmt: skip
    assert session.introspect_token(base + "/introspect", token, verify=verify).json()["active"]
    assert session.revoke_token(base + "/revoke", token, verify=verify).status_code == 200
    answer = session.introspect_token(base + "/introspect", token, verify=verify)
    assert answer.json() == {"active": False}
