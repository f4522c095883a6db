"""Clients and users."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.roles.hostdata.inventory import (
    APP,
    ASSERTING,
    CLIENT,
    JWKS,
    SECRET,
    USER,
    VALID,
    app,
    client,
    faults,
    validated,
)


def test_users_that_nobody_names_are_not_no_users() -> None:
    assert validated(VALID).users is None
    assert validated({**VALID, "users": []}).users == ()
    (user,) = validated({**VALID, "users": [USER]}).users or ()
    assert (user.username, user.disabled) == ("ada", False)


def test_a_client_may_have_a_key_instead_of_a_secret() -> None:
    (client,) = validated({**VALID, "clients": [ASSERTING]}).clients
    assert client.model_dump(mode="json")["jwks"] == JWKS


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(
            {**VALID, "users": [{**USER, "username": "Ada"}]},
            "users[0].username: must match ^[a-z0-9][a-z0-9._@-]{0,63}$",
            id="username",
        ),
        pytest.param(
            {**VALID, "users": [{**USER, "password_hash": "$argon2id$v=19$m=8,t=1,p=1$YQ$YQ"}]},
            "users[0].password_hash: must be what `oauth-server users hash` prints "
            "($argon2id$v=19$m=65536,…)",
            id="weaker-hash",
        ),
        pytest.param(
            {**VALID, "users": [{**USER, "password": SECRET}]},
            "users[0].password: unknown key; did you mean password_hash?",
            id="password-itself",
        ),
        pytest.param(
            {**VALID, "users": [USER, USER]}, "users: ada stands there twice", id="user-twice"
        ),
        pytest.param(
            {**VALID, "users": [{**USER, "username": "gateway_01"}]},
            "users: gateway_01 is a client_id, too",
            id="user-is-client",
        ),
        pytest.param(
            client(jwks=JWKS),
            "clients[0]: jwks and token_endpoint_auth_method private_key_jwt belong together",
            id="key-and-secret",
        ),
        pytest.param(
            {**VALID, "clients": [{**ASSERTING, "jwks": None}]},
            "clients[0]: jwks and token_endpoint_auth_method private_key_jwt belong together",
            id="no-key",
        ),
        pytest.param(
            {**VALID, "clients": [{**ASSERTING, "client_secret": {"env": "A"}}]},
            "clients[0]: a client with private_key_jwt has no secret (RFC 7523)",
            id="secret-beside-key",
        ),
        pytest.param(
            {**VALID, "clients": [{**ASSERTING, "jwks": {"keys": [{"kty": "oct", "k": SECRET}]}}]},
            "clients[0].jwks: must hold public keys alone (RFC 7518 §6)",
            id="secret-key",
        ),
        pytest.param(
            {**VALID, "clients": [{**ASSERTING, "jwks": {"keys": []}}]},
            "clients[0].jwks.keys: must not be empty",
            id="no-keys",
        ),
    ],
)
def test_each_fault_has_one_line(data: dict[str, Any], line: str) -> None:
    assert faults(data) == [f"web-1: {line}"]


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.org/callback?x=1",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:8912/callback",
        "http://[::1]/callback",
        pytest.param("com.example.app:/callback", id="rfc8252-7.1-private-use-scheme"),
    ],
)
def test_redirect_uris_of_the_three_kinds_are_taken(uri: str) -> None:
    (registered,) = validated(app(uri)).clients
    assert registered.redirect_uris == (uri,)


LOOPBACK = (
    "http:// is allowed for the loopback literals 127.0.0.1 and [::1] alone (RFC 8252 §7.3); "
    "use https://"
)


@pytest.mark.parametrize(
    ("uri", "rule"),
    [
        ("http://app.example.org/callback", LOOPBACK),
        ("http://localhost/callback", LOOPBACK),
        ("http://127.0.0.1@evil.test/", LOOPBACK),
        ("http://127.0.0.1.evil.test/", LOOPBACK),
        ("http://127.0.0.2/", LOOPBACK),
        ("HTTP://app.example.org/", LOOPBACK),
        ("https://app.example.org/#x", "must have no fragment (RFC 6749 §3.1.2)"),
        ("https:///callback", "must name a host"),
        ("https://app.example.org/a b", "must be printable ASCII without spaces (RFC 3986 §2)"),
        ("https://app.example.org/\n", "must be printable ASCII without spaces (RFC 3986 §2)"),
        ("https://äpp.example.org/", "must be printable ASCII without spaces (RFC 3986 §2)"),
        ("javascript:alert(1)", "must be https://, a loopback http://, or a private-use scheme"),
        ("/callback", "must be https://, a loopback http://, or a private-use scheme"),
    ],
)
def test_any_other_redirect_uri_is_refused(uri: str, rule: str) -> None:
    assert faults(app(uri)) == [f"web-1: clients[0].redirect_uris[0]: {rule}"]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"client_id": "a b"}, "clients[0].client_id: must match ^[A-Za-z0-9._~-]{1,128}$"),
        (
            {"grant_types": ["password"]},
            "clients[0].grant_types[0]: must be 'client_credentials', ",
        ),
        ({"grant_types": []}, "clients[0].grant_types: must not be empty"),
        ({"scope": 'a"b'}, "clients[0].scope: must match ^"),
        ({"scope": "a  b"}, "clients[0].scope: must match ^"),
        ({"client_secret_hash": "md5:1"}, "clients[0].client_secret_hash: must match ^sha256:"),
        ({"client_secret_hash": None}, "clients[0]: name exactly one of client_secret_hash and"),
        ({"client_secret": {"env": "A"}}, "clients[0]: name exactly one of client_secret_hash"),
        ({"client_secret": {}}, "clients[0].client_secret: name exactly one of env, file and"),
        (
            {"client_secret_hash": None, "client_secret": {"env": "A", "file": "/a"}},
            "clients[0].client_secret: name exactly one of env, file and command",
        ),
        (
            {"token_endpoint_auth_method": "none"},
            "clients[0]: a public client (token_endpoint_auth_method none) has no secret",
        ),
        (
            {"token_endpoint_auth_method": "none", "client_secret_hash": None},
            "clients[0]: client_credentials is for confidential clients (RFC 6749 §4.4)",
        ),
        (
            {"grant_types": ["authorization_code"], "redirect_uris": []},
            "clients[0]: authorization_code needs redirect_uris (RFC 6749 §3.1.2.2)",
        ),
    ],
)
def test_a_client_that_cannot_work_is_refused(changed: dict[str, Any], line: str) -> None:
    (said,) = faults(client(**changed))
    assert said.startswith(f"web-1: {line}")


def test_a_client_id_stands_there_once() -> None:
    data = {**VALID, "clients": [CLIENT, APP, CLIENT]}
    assert faults(data) == ["web-1: clients: gateway_01 stands there twice"]
