"""Codes that somebody else got hold of, and what they are worth to them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from oauth_server.protocol import opaque
from tests.server.conftest import SECRET
from tests.server.person import VERIFIER, WEB, Person, answer, challenge, request
from tests.server.process import Server
from tests.server.test_code_flow import code_for, redeemed
from tests.server.test_token import assert_refused, basic


@pytest.fixture
def person(server: Server) -> Iterator[Person]:
    with Person(server) as somebody:
        yield somebody


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"code_challenge": None, "code_challenge_method": None}, id="no-pkce"),
        pytest.param({"code_challenge": None}, id="no-challenge"),
        pytest.param({"code_challenge_method": None}, id="rfc7636-4.3-plain-by-omission"),
        pytest.param({"code_challenge_method": "plain"}, id="rfc7636-4.2-plain"),
        pytest.param({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, id="verbatim"),
        pytest.param({"code_challenge_method": "s256"}, id="another-case"),
        pytest.param({"code_challenge": "x" * 42}, id="42-characters"),
    ],
)
def test_no_code_is_given_without_pkce(person: Person, changes: dict[str, str | None]) -> None:
    """PKCE downgrade at the authorization endpoint: RFC 9700 §2.1.1, §4.8.2."""
    found = answer(person.logged_in("erin").http.get(request(**changes)))
    assert found["error"] == "invalid_request"
    assert "code" not in found


def test_a_code_is_redeemed_with_a_verifier_or_not_at_all(
    person: Person, http: httpx.Client
) -> None:
    """PKCE downgrade at the token endpoint: RFC 9700 §4.8.2."""
    code = code_for(person, "erin")
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": WEB}
    for sent in (form, {**form, "code_verifier": ""}):
        response = http.post("/token", data=sent, headers=basic("web"))
        assert_refused(response, 400, "invalid_request")
    assert redeemed(http, code).status_code == 200


@pytest.mark.parametrize(
    "verifier",
    [
        pytest.param(opaque.digest(VERIFIER), id="rfc7636-7.2-the-challenge-itself"),
        pytest.param(VERIFIER[:-1], id="rfc7636-4.1-42-characters"),
        pytest.param(VERIFIER.ljust(129, "a"), id="rfc7636-4.1-129-characters"),
        pytest.param(VERIFIER + "=", id="rfc7636-4.1-padding"),
        pytest.param(VERIFIER.swapcase(), id="another-case"),
    ],
)
def test_another_verifier_buys_nothing_and_burns_nothing(
    person: Person, http: httpx.Client, verifier: str
) -> None:
    """A leaked code can be neither used nor burnt by who lacks the verifier: RFC 7636 §1."""
    code = code_for(person, "erin")
    assert_refused(redeemed(http, code, code_verifier=verifier), 400, "invalid_grant")
    assert redeemed(http, code).status_code == 200


def test_a_trailing_newline_makes_another_verifier(person: Person, http: httpx.Client) -> None:
    """RFC 7636 §4.1: `$` of a pattern lets one through, and here it does not even arrive."""
    code = code_for(person, "erin")
    assert_refused(redeemed(http, code, code_verifier=VERIFIER + "\n"), 400, "invalid_request")
    assert redeemed(http, code).status_code == 200


@pytest.mark.parametrize(
    ("verifier", "error"),
    [
        pytest.param(VERIFIER[:42], "invalid_grant", id="rfc7636-4.1-42-characters"),
        pytest.param(VERIFIER.ljust(129, "a"), "invalid_grant", id="rfc7636-4.1-129-characters"),
        pytest.param(VERIFIER + "=", "invalid_grant", id="rfc7636-4.1-padding"),
        pytest.param(VERIFIER + "\n", "invalid_request", id="rfc7636-4.1-trailing-newline"),
        pytest.param("1", "invalid_grant", id="rfc7636-7.1-one-character"),
    ],
)
def test_a_verifier_that_is_none_does_not_fit_even_its_own_challenge(
    person: Person, http: httpx.Client, verifier: str, error: str
) -> None:
    """RFC 7636 §7.1: a short one can be found from its challenge, which is no secret."""
    code = code_for(person, "erin", code_challenge=challenge(verifier))
    assert_refused(redeemed(http, code, code_verifier=verifier), 400, error)


@pytest.mark.parametrize(
    "redirect_uri",
    ["", WEB + "/", WEB + "?", WEB.upper(), "https://b.example.com/", WEB + "#", " " + WEB],
)
def test_a_code_is_worth_nothing_with_another_redirect_uri(
    person: Person, http: httpx.Client, redirect_uri: str
) -> None:
    """Code injection by another redirect: RFC 6749 §4.1.3, §10.6."""
    code = code_for(person, "erin")
    assert_refused(redeemed(http, code, redirect_uri=redirect_uri), 400, "invalid_grant")
    assert redeemed(http, code).status_code == 200


def test_a_code_is_worth_nothing_to_another_client(person: Person, http: httpx.Client) -> None:
    """Code injection: RFC 6749 §10.5, RFC 9700 §4.5."""
    code = code_for(person, "erin")
    form = {
        "grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER,
        "redirect_uri": WEB,
    }  # fmt: skip
    for sent, headers in (
        (form, basic("portal")),
        ({**form, "client_id": "app"}, {}),
        ({**form, "client_id": "spa"}, {}),
    ):
        assert_refused(http.post("/token", data=sent, headers=headers), 400, "invalid_grant")
    response = http.post("/token", data=form, headers=basic("web", SECRET + "x"))
    assert_refused(response, 401, "invalid_client")
    assert redeemed(http, code).status_code == 200
