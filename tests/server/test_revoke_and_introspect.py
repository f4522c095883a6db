"""RFC 7009 and RFC 7662 over real HTTP, and in the log."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.server.conftest import SECRET
from tests.server.person import Person
from tests.server.process import Server
from tests.server.test_code_flow import code_for, redeemed, token
from tests.server.test_token import GRANT, assert_refused, basic

INACTIVE = {"active": False}


@pytest.fixture
def person(server: Server) -> Iterator[Person]:
    with Person(server) as somebody:
        yield somebody


def machine_token(http: httpx.Client, client_id: str = "gateway_01") -> str:
    answer = http.post("/token", data=GRANT, headers=basic(client_id))
    return str(answer.json()["access_token"])


def introspect(http: httpx.Client, value: str, client_id: str = "gateway_01") -> httpx.Response:
    return http.post("/introspect", data={"token": value}, headers=basic(client_id))


def revoke(http: httpx.Client, value: str, client_id: str = "gateway_01") -> httpx.Response:
    return http.post("/revoke", data={"token": value}, headers=basic(client_id))


def test_a_token_is_active_until_it_is_revoked(server: Server, http: httpx.Client) -> None:
    value = machine_token(http)
    before = introspect(http, value)
    assert before.headers["cache-control"] == "no-store"
    jti = before.json()["jti"]
    assert before.json()["active"] is True
    for _ in range(2):  # RFC 7009 §2.2: again is no error
        answer = revoke(http, value)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["cache-control"] == "no-store"
    assert introspect(http, value).json() == INACTIVE
    lines = [line for line in server.log() if f"jti={jti}" in line]
    assert " 200 - introspect client_id=gateway_01 " in lines[1]
    assert " 200 - revoke client_id=gateway_01 " in lines[2]
    assert " 200 token_revoked introspect client_id=gateway_01 " in lines[-1]


def test_why_a_token_is_not_active_is_for_the_log_alone(server: Server, http: httpx.Client) -> None:
    """RFC 7662 §2.2. A header names to the gateway what the answer says as well, and no more."""
    value = machine_token(http)
    revoke(http, value)
    head, _, _ = value.rpartition(".")
    for shown, error in ((value, "token_revoked"), (f"{head}.{'A' * 683}", "signature_invalid")):
        answer = introspect(http, shown)
        assert answer.json() == INACTIVE
        assert "x-oauth-error" not in answer.headers
        assert f" 200 {error} introspect " in server.log()[-1]
    refused = http.post("/introspect", data={"token": value}, headers=basic("gateway_01", "wrong"))
    assert refused.headers["x-oauth-error"] == refused.json()["error"] == "invalid_client"


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_the_family(
    person: Person, http: httpx.Client, which: str
) -> None:
    """RFC 7009 §2.1."""
    issued = redeemed(http, code_for(person, "alice")).json()
    assert introspect(http, issued["refresh_token"], "web").json()["active"] is True
    assert revoke(http, issued[which], "web").status_code == 200
    assert introspect(http, issued["access_token"], "web").json() == INACTIVE
    assert introspect(http, issued["refresh_token"], "web").json() == INACTIVE
    refreshed = token(http, grant_type="refresh_token", refresh_token=issued["refresh_token"])
    assert_refused(refreshed, 400, "invalid_grant")


def test_a_client_learns_nothing_of_anothers_token(http: httpx.Client) -> None:
    """RFC 7662 §4, RFC 7009 §2.1."""
    value = machine_token(http)
    assert introspect(http, value, "machine_2").status_code == 401
    assert introspect(http, value, "narrow").json() == INACTIVE
    assert_refused(revoke(http, value, "narrow"), 400, "invalid_grant")
    assert introspect(http, value).json()["active"] is True


def test_a_resource_server_sees_what_is_meant_for_it(http: httpx.Client) -> None:
    """RFC 7662 §2.2."""
    value = machine_token(http, "narrow")
    seen = introspect(http, value, "api").json()
    assert (seen["active"], seen["aud"], seen["client_id"]) == (
        True,
        "https://api.example.com",
        "narrow",
    )
    assert introspect(http, machine_token(http), "api").json() == INACTIVE


def test_a_public_client_may_revoke_and_may_not_introspect(http: httpx.Client) -> None:
    """RFC 7009 §2.1, RFC 7662 §2.1."""
    form = {"token": "x", "client_id": "app"}
    assert http.post("/revoke", data=form).status_code == 200
    assert_refused(http.post("/introspect", data=form), 401, "invalid_client")


@pytest.mark.parametrize("path", ["/revoke", "/introspect"])
def test_nobody_is_answered_without_authentication_or_token(http: httpx.Client, path: str) -> None:
    """RFC 7662 §4: else anybody could scan for tokens."""
    assert_refused(http.post(path, data={"token": "x"}), 401, "invalid_client")
    wrong = http.post(path, data={"token": "x"}, headers=basic("gateway_01", "wrong"))
    assert_refused(wrong, 401, "invalid_client")
    assert_refused(http.post(path, data={}, headers=basic()), 400, "invalid_request")
    assert_refused(http.post(path + "?token=x", data={}, headers=basic()), 400, "invalid_request")
    assert http.get(path).status_code == 405


@pytest.mark.parametrize("value", ["x", "a.b.c", "x" * 108, "x" * 9000, "é"])
def test_what_is_no_token_is_inactive_and_its_revocation_no_error(
    http: httpx.Client, value: str
) -> None:
    """RFC 7662 §2.2, RFC 7009 §2.2."""
    assert introspect(http, value).json() == INACTIVE
    assert revoke(http, value).status_code == 200


def test_a_forged_signature_is_named_in_the_log(server: Server, http: httpx.Client) -> None:
    header, payload, signature = machine_token(http).split(".")
    forged = f"{header}.{payload}.{signature[:-8]}AAAAAAA" + signature[-1]
    assert introspect(http, forged).json() == INACTIVE
    assert " 200 signature_invalid introspect client_id=gateway_01 " in server.log()[-1]
    assert forged not in server.log_file.read_text()


def test_the_secret_in_the_body_works_here_too(http: httpx.Client) -> None:
    mine = {"client_id": "poster", "client_secret": SECRET}
    value = http.post("/token", data={**GRANT, **mine}).json()["access_token"]
    assert http.post("/introspect", data={"token": value, **mine}).json()["active"] is True
    assert http.post("/revoke", data={"token": value, **mine}).status_code == 200
    assert http.post("/introspect", data={"token": value, **mine}).json() == INACTIVE
