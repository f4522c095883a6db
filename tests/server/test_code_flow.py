"""From the login to the last refresh: with our own forms, and with clients nobody here wrote."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from requests_oauthlib import OAuth2Session

from tests.server.conftest import SECRET
from tests.server.person import VERIFIER, WEB, Person, answer, request
from tests.server.process import Server, Site, serving
from tests.server.test_token import assert_refused, basic, claims_of

ISSUER = "https://127.0.0.1"


@pytest.fixture
def person(server: Server) -> Iterator[Person]:
    with Person(server) as somebody:
        yield somebody


def code_for(person: Person, username: str, **changes: str | None) -> str:
    """The code that a new consent gives."""
    return next_code(person.logged_in(username), **changes)


def next_code(person: Person, **changes: str | None) -> str:
    """For somebody who is logged in."""
    where = request(**changes)
    response = person.http.get(where)
    if response.status_code != 303:
        response = person.allow(where)
    return answer(response)["code"]


def token(http: httpx.Client, **parameters: str) -> httpx.Response:
    return http.post("/token", data=parameters, headers=basic("web"))


def redeemed(http: httpx.Client, code: str, **changes: str) -> httpx.Response:
    sent = {"code": code, "code_verifier": VERIFIER, "redirect_uri": WEB, **changes}
    return token(http, grant_type="authorization_code", **sent)


def refreshed(http: httpx.Client, refresh_token: str) -> httpx.Response:
    return token(http, grant_type="refresh_token", refresh_token=refresh_token)


def is_active(http: httpx.Client, value: str) -> bool:
    response = http.post("/introspect", data={"token": value}, headers=basic("web"))
    return bool(response.json()["active"])


def test_a_login_ends_in_tokens_that_can_be_refreshed(
    server: Server, person: Person, http: httpx.Client
) -> None:
    response = redeemed(http, code_for(person, "alice"))
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    first = response.json()
    assert sorted(first) == ["access_token", "expires_in", "refresh_token", "scope", "token_type"]
    claims = claims_of(first["access_token"], http)
    assert (claims["sub"], claims["client_id"], claims["scope"]) == (
        "alice",
        "web",
        "telemetry:read",
    )

    second = refreshed(http, first["refresh_token"]).json()
    again = claims_of(second["access_token"], http)
    assert again["family"] == claims["family"]
    assert again["jti"] != claims["jti"]
    lines = [line for line in server.log() if f"family={claims['family']}" in line]
    assert re.search(r" 200 - token client_id=web grant_type=authorization_code jti=", lines[-2])
    assert re.search(r" 200 - token client_id=web grant_type=refresh_token jti=", lines[-1])
    everything = server.log_file.read_text() + server.journal
    for secret in (first["refresh_token"], second["refresh_token"], second["access_token"]):
        assert secret not in everything
        assert secret[22:65] not in everything


def test_a_code_that_is_used_twice_ends_its_family(
    server: Server, person: Person, http: httpx.Client
) -> None:
    """RFC 6749 §4.1.2."""
    code = code_for(person, "alice")
    first = redeemed(http, code).json()
    assert_refused(redeemed(http, code), 400, "invalid_grant")
    family = claims_of(first["access_token"], http)["family"]
    (line,) = [line for line in server.log() if "reason=code_replayed" in line and
               f"family={family}" in line]  # fmt: skip
    assert " 400 invalid_grant token client_id=web grant_type=authorization_code " in line
    refresh = refreshed(http, first["refresh_token"])
    assert_refused(refresh, 400, "invalid_grant")
    assert is_active(http, first["access_token"]) is False


def test_a_refresh_token_that_is_used_twice_ends_its_family(
    server: Server, person: Person, http: httpx.Client
) -> None:
    """RFC 9700 §4.14.2."""
    first = redeemed(http, code_for(person, "alice")).json()
    second = refreshed(http, first["refresh_token"]).json()
    assert is_active(http, second["access_token"]) is True
    assert_refused(refreshed(http, first["refresh_token"]), 400, "invalid_grant")
    assert " reason=refresh_token_replayed family=" in server.log()[-1]
    assert_refused(refreshed(http, second["refresh_token"]), 400, "invalid_grant")
    for issued in (first, second):
        assert is_active(http, issued["access_token"]) is False


def test_a_lost_answer_is_forgiven_once_and_only_one_branch_lives(
    tmp_path: Path, site: Site
) -> None:
    """RFC 9700 §4.14.2 within the grace: who holds the branch that is dead ends the other."""
    with (
        serving(tmp_path, site, refresh_reuse_grace=60) as server,
        Person(server) as person,
        server.client() as http,
    ):
        first = redeemed(http, code_for(person, "alice")).json()["refresh_token"]
        lost = refreshed(http, first).json()["refresh_token"]
        again = refreshed(http, first).json()["refresh_token"]
        assert_refused(refreshed(http, lost), 400, "invalid_grant")
        assert_refused(refreshed(http, again), 400, "invalid_grant")


def test_a_code_is_good_for_as_long_as_the_settings_say(tmp_path: Path, site: Site) -> None:
    """RFC 6749 §4.1.2: short-lived."""
    with (
        serving(tmp_path, site, code_timeout=2) as server,
        Person(server) as person,
        server.client() as http,
    ):
        assert redeemed(http, code_for(person, "alice")).status_code == 200
        code = next_code(person)
        time.sleep(2.1)
        assert_refused(redeemed(http, code), 400, "invalid_grant")


def test_a_token_is_for_all_resources_that_were_granted_or_for_the_one_asked_for(
    person: Person, http: httpx.Client
) -> None:
    """RFC 8707 §2."""
    redirect_uri = "https://b.example.com/"
    audiences = []
    person.logged_in("carol")
    for resource in ("", "https://other.example.com"):
        code = next_code(person, client_id="portal", redirect_uri=redirect_uri)
        form = {
            "grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER,
            "redirect_uri": redirect_uri,
        }  # fmt: skip
        elsewhere = {**form, "resource": "https://evil.test"}
        refused = http.post("/token", data=elsewhere, headers=basic("portal"))
        assert_refused(refused, 400, "invalid_target")
        sent = {**form, "resource": resource}
        issued = http.post("/token", data=sent, headers=basic("portal")).json()
        audiences.append(claims_of(issued["access_token"], http)["aud"])
    assert audiences == [
        ["https://api.example.com", "https://other.example.com"],
        "https://other.example.com",
    ]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"redirect_uri": WEB + "/"}, "invalid_grant", id="rfc6749-4.1.3-redirect-uri"),
        pytest.param({"code_verifier": "x" * 43}, "invalid_grant", id="rfc7636-4.6"),
        pytest.param({"code_verifier": VERIFIER + "x" * 90}, "invalid_grant", id="rfc7636-4.1-129"),
        pytest.param({"code_verifier": VERIFIER[:42]}, "invalid_grant", id="rfc7636-4.1-42"),
        # A control character is refused before anything is read of it.
        pytest.param({"code_verifier": VERIFIER + "\n"}, "invalid_request", id="rfc7636-4.1-line"),
        pytest.param({"code_verifier": ""}, "invalid_request", id="rfc9700-4.8.2-downgrade"),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_code_buys_nothing_and_spends_nothing(
    person: Person, http: httpx.Client, changes: dict[str, str], error: str
) -> None:
    code = code_for(person, "bob")
    assert_refused(redeemed(http, code, **changes), 400, error)
    assert redeemed(http, code).status_code == 200


def test_five_wrong_verifiers_make_a_code_void(person: Person, http: httpx.Client) -> None:
    """RFC 6749 §10.10: who has a code and guesses at its verifier is stopped."""
    code = code_for(person, "bob")
    for _ in range(5):
        assert_refused(redeemed(http, code, code_verifier="x" * 43), 400, "invalid_grant")
    assert_refused(redeemed(http, code), 400, "invalid_grant")


def test_another_client_gets_nothing_for_a_code(person: Person, http: httpx.Client) -> None:
    """RFC 6749 §4.1.3; code injection, RFC 9700 §4.5."""
    code = code_for(person, "carol")
    stolen = http.post(
        "/token",
        data={"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER,
              "redirect_uri": WEB},
        headers=basic("portal"),
    )  # fmt: skip
    assert_refused(stolen, 400, "invalid_grant")
    assert redeemed(http, code).status_code == 200


def test_a_refresh_beyond_what_was_granted_is_400(person: Person, http: httpx.Client) -> None:
    """RFC 6749 §6: 403 is for what a client is not registered for."""
    first = redeemed(http, code_for(person, "dave")).json()["refresh_token"]
    wider = token(http, grant_type="refresh_token", refresh_token=first, scope="telemetry:write")
    assert_refused(wider, 400, "invalid_scope")
    assert refreshed(http, first).status_code == 200


def test_a_withdrawn_consent_ends_what_it_gave(person: Person, http: httpx.Client) -> None:
    """RFC 6819 §5.2.2.4."""
    first = redeemed(http, code_for(person, "erin")).json()["refresh_token"]
    person.submit(person.get("/account").form("withdraw"), "withdraw")
    refused = refreshed(http, first)
    assert_refused(refused, 400, "invalid_grant")


def _visit(person: Person, url: str) -> str:
    """What the browser is sent to in the end, with the code in it."""
    where = url[url.index("/authorize") :]
    response = person.http.get(where)
    if response.status_code != 303:
        response = person.allow(where)
    return str(response.headers["location"])


def test_authlib_gets_and_refreshes_a_token_with_a_code(server: Server, person: Person) -> None:
    base = f"https://127.0.0.1:{server.tcp[1]}"
    session: Any = AuthlibSession(
        "spa", redirect_uri="http://127.0.0.1:4711/callback", scope="telemetry:read",
        token_endpoint_auth_method="none", code_challenge_method="S256",
    )  # fmt: skip
    session.verify, session.trust_env = str(server.certificate), False
    url, state = session.create_authorization_url(f"{base}/authorize", code_verifier=VERIFIER)
    location = _visit(person.logged_in("frank"), url)
    first = session.fetch_token(
        f"{base}/token", authorization_response=location, state=state, code_verifier=VERIFIER
    )
    second = session.refresh_token(f"{base}/token", refresh_token=first["refresh_token"])
    assert second["access_token"] != first["access_token"]


def test_requests_oauthlib_gets_and_refreshes_a_token_with_a_code(
    server: Server, person: Person
) -> None:
    base = f"https://127.0.0.1:{server.tcp[1]}"
    session = OAuth2Session("web", redirect_uri=WEB, scope=["telemetry:read"], pkce="S256")
    session.verify, session.trust_env = str(server.certificate), False
    url, _ = session.authorization_url(f"{base}/authorize")
    location = _visit(person.logged_in("frank"), url)
    first = session.fetch_token(
        f"{base}/token", authorization_response=location, auth=("web", _encoded(SECRET))
    )
    second = session.refresh_token(
        f"{base}/token", refresh_token=first["refresh_token"], auth=("web", _encoded(SECRET))
    )
    assert second["access_token"] != first["access_token"]


def _encoded(secret: str) -> str:
    """RFC 6749 §2.3.1: form-urlencoded before it goes into Basic, which the library leaves out."""
    return str(httpx.QueryParams({"": secret}))[1:]
