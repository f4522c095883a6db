"""What a token is worth, asked over HTTP, before and after its client gave it back."""

from __future__ import annotations

import httpx
import pytest

from tests.server.conftest import SCOPE, SECRET
from tests.server.person import VERIFIER, WEB, Person, answer, request
from tests.server.process import Server
from tests.server.test_token import assert_refused, basic

INACTIVE = {"active": False}


def bought(http: httpx.Client, client_id: str) -> str:
    form = {"grant_type": "client_credentials"}
    return str(http.post("/token", data=form, headers=basic(client_id)).json()["access_token"])


def asked(http: httpx.Client, client_id: str, token: str) -> dict[str, object]:
    response = http.post("/introspect", data={"token": token}, headers=basic(client_id))
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    found: dict[str, object] = response.json()
    return found


def revoked(http: httpx.Client, client_id: str, token: str) -> httpx.Response:
    form = {"token": token, "token_type_hint": "refresh_token"}
    return http.post("/revoke", data=form, headers=basic(client_id))


def line_of(server: Server, response: httpx.Response) -> str:
    end = f"request_id={response.headers['x-request-id']}"
    (line,) = [line for line in server.log() if line.endswith(end)]
    return line


def test_a_client_is_told_about_its_token_until_it_gives_it_back(
    server: Server, http: httpx.Client
) -> None:
    token, other = bought(http, "gateway_01"), bought(http, "gateway_01")
    found = asked(http, "gateway_01", token)
    assert found["active"] is True
    assert (found["sub"], found["scope"], found["token_type"]) == ("gateway_01", SCOPE, "Bearer")
    for _ in range(2):  # RFC 7009 §2.2: again is the same as once
        response = revoked(http, "gateway_01", token)
        assert (response.status_code, response.content) == (200, b"")
    line = line_of(server, response)
    assert line.split(" ")[2:5] == ["200", "-", "revoke"]
    assert f"jti={found['jti']}" in line
    assert token not in "".join(server.log())
    assert asked(http, "gateway_01", token) == INACTIVE
    assert asked(http, "gateway_01", other)["active"] is True


def test_a_resource_server_is_told_about_tokens_for_it_and_nobody_else_is(
    http: httpx.Client,
) -> None:
    """RFC 7662 §4: tokens cannot be scanned for."""
    token = bought(http, "narrow")
    assert asked(http, "api", token)["aud"] == "https://api.example.com"
    assert asked(http, "gateway_01", token) == INACTIVE
    assert asked(http, "api", bought(http, "gateway_01")) == INACTIVE


def test_either_token_of_a_login_ends_both(server: Server, http: httpx.Client) -> None:
    for which in ("access_token", "refresh_token"):
        with Person(server) as person:
            where = request()
            response = person.logged_in("frank").http.get(where)
            if response.status_code != 303:
                response = person.allow(where)
        form = {
            "grant_type": "authorization_code", "code": answer(response)["code"],
            "code_verifier": VERIFIER, "redirect_uri": WEB,
        }  # fmt: skip
        bought = http.post("/token", data=form, headers=basic("web")).json()
        assert asked(http, "web", bought["access_token"])["username"] == "frank"
        assert asked(http, "web", bought["refresh_token"])["active"] is True
        assert_refused(revoked(http, "gateway_01", bought[which]), 400, "invalid_grant")
        response = revoked(http, "web", bought[which])
        assert response.status_code == 200
        assert " family=" in line_of(server, response)
        assert asked(http, "web", bought["access_token"]) == INACTIVE
        assert asked(http, "web", bought["refresh_token"]) == INACTIVE
        refresh = {"grant_type": "refresh_token", "refresh_token": bought["refresh_token"]}
        assert_refused(
            http.post("/token", data=refresh, headers=basic("web")), 400, "invalid_grant"
        )


@pytest.mark.parametrize("endpoint", ["/revoke", "/introspect"])
def test_who_asks_has_to_say_who_it_is(http: httpx.Client, endpoint: str) -> None:
    for headers in (basic("gateway_01", "wrong"), basic("nobody"), {}):
        response = http.post(endpoint, data={"token": "x"}, headers=headers)
        assert_refused(response, 401, "invalid_client")
    response = http.post(endpoint, headers=basic("gateway_01"), data={"token_type_hint": "x"})
    assert_refused(response, 400, "invalid_request")
    assert http.get(endpoint).status_code == 405
    response = http.post(endpoint + "?token=x", data={"token": "x"}, headers=basic("gateway_01"))
    assert_refused(response, 400, "invalid_request")


def test_a_public_client_gives_back_what_it_has_and_learns_nothing(http: httpx.Client) -> None:
    """RFC 7009 §2.1 and RFC 7662 §2.1."""
    form = {"client_id": "app", "token": "x" * 108}
    assert http.post("/revoke", data=form).status_code == 200
    assert_refused(http.post("/introspect", data=form), 401, "invalid_client")


@pytest.mark.parametrize("token", ["x", "x" * 108, "a.b.c", "\u2028", "x" * 20_000])
def test_what_is_no_token_is_inactive_and_its_end_no_error(
    server: Server, http: httpx.Client, token: str
) -> None:
    assert asked(http, "gateway_01", token) == INACTIVE
    response = revoked(http, "gateway_01", token)
    assert response.status_code == 200
    assert line_of(server, response).split(" ")[3] in {"token_malformed", "refresh_token_not_valid"}


def test_the_secret_in_the_body_is_as_good(http: httpx.Client) -> None:
    form = {"client_id": "poster", "client_secret": SECRET, "token": "x"}
    assert http.post("/introspect", data=form).json() == INACTIVE
