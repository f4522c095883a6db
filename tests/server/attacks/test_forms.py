"""Attacks through a browser: forms, frames, cookies."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest

from oauth_server.store.interface import TokenIdentity
from tests.server.attacks.conftest import ALICE
from tests.server.attacks.inside import HOST, CountedHashes, Inside, Visitor, client
from tests.server.conftest import PASSWORD
from tests.server.person import Page, request

LOGIN = {"action": "login", "username": "alice", "password": PASSWORD}


def assert_not_logged_in(response: httpx.Response) -> None:
    assert response.status_code == 400
    assert "__Host-session=" not in str(response.headers)


def test_a_login_form_of_somebody_elses_browser_is_refused(inside: Inside) -> None:
    """Login CSRF (RFC 6749 §10.12): a victim is logged in as the attacker."""
    form = Visitor(inside).get("/account").form("login")
    victim = Visitor(inside)
    assert_not_logged_in(victim.post("/account", {**form.fields, **LOGIN}))
    victim.get("/account")  # now there is a cookie, and it is another one
    assert_not_logged_in(victim.post("/account", {**form.fields, **LOGIN}))
    assert_not_logged_in(victim.post("/account", LOGIN))


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": f"https://{HOST}"}, True),
        ({"Origin": "null"}, False),
        ({"Origin": "https://evil.test"}, False),
        ({"Origin": f"https://{HOST}.evil.test"}, False),
        ({"Origin": f"https://evil.test/{HOST}"}, False),
        ({"Origin": ""}, False),
    ],
)
def test_a_form_from_another_site_is_refused(
    inside: Inside, headers: dict[str, str], accepted: bool
) -> None:
    """https://www.w3.org/TR/fetch-metadata/ and RFC 6454 §7.3, even with a good token."""
    visitor = Visitor(inside)
    form = visitor.get("/account").form("login")
    response = visitor.post("/account", {**form.fields, **LOGIN}, headers)
    assert (response.status_code == 303) is accepted


def test_an_approval_needs_the_token_of_its_session(inside: Inside) -> None:
    """CSRF on consent (RFC 9700 §4.7)."""
    attacker, victim = Visitor(inside), Visitor(inside)
    attacker.log_in("alice")
    victim.log_in("alice")
    form = attacker.get(request()).form("approve")
    response = victim.submit(form, "approve")
    assert response.status_code == 400
    assert "location" not in response.headers


@pytest.mark.parametrize("again", [False, True], ids=["remembered", "approved"])
def test_a_consent_withdrawn_while_a_code_is_made_gives_none(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """Two tabs: the withdrawal comes between the look at the consent and the code."""
    visitor, save_code = Visitor(inside), inside.store.save_code
    visitor.log_in("alice")
    form = visitor.get(request()).form("approve")
    assert visitor.submit(form, "approve").status_code == 303
    assert visitor.get(request()).response.status_code == 303

    async def withdrawn_meanwhile(*arguments: Any, **named: Any) -> None:
        await inside.store.withdraw_consent("alice", "web")
        await save_code(*arguments, **named)

    monkeypatch.setattr(inside.store, "save_code", withdrawn_meanwhile)
    page = Page(visitor.submit(form, "approve")) if again else visitor.get(request())
    assert page.response.status_code == 200
    assert page.form("approve")


@pytest.mark.parametrize("path", ["/logout", "/account"])
def test_nobody_is_logged_out_or_loses_an_app_from_outside(inside: Inside, path: str) -> None:
    """CSRF (RFC 6749 §10.12)."""
    visitor = Visitor(inside)
    visitor.log_in("alice")
    visitor.get(path)  # a link or an image
    response = visitor.post(path, {"action": "withdraw", "client_id": "web", "csrf": "x"})
    assert response.status_code == 400
    assert visitor.get("/account").title.startswith("Your apps")


def test_a_form_elsewhere_takes_nobodys_cookie_away(inside: Inside) -> None:
    """Logout CSRF: a browser sends no cookie with such a form, but would take its removal."""
    response = Visitor(inside).post("/logout", {"csrf": "x"}, {"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 303
    assert "set-cookie" not in response.headers


def test_a_session_id_that_was_planted_is_worth_nothing_after_login(inside: Inside) -> None:
    """Session fixation: https://owasp.org/www-community/attacks/Session_fixation"""
    planted = "A" * 43
    victim, attacker = Visitor(inside), Visitor(inside)
    for visitor in (victim, attacker):
        visitor.http.cookies.set("__Host-session", planted, domain=HOST)
    form = victim.get("/account").form("login")
    response = victim.submit(form, "login", username="alice", password=PASSWORD)
    assert planted not in str(response.headers)
    assert attacker.get("/account").title.startswith("Log in")


def test_each_login_has_an_id_of_its_own_and_ends_the_one_before(inside: Inside) -> None:
    """Session fixation (CWE-384): who knows the old id has nothing after a login in another tab."""
    visitor, thief = Visitor(inside), Visitor(inside)
    form = visitor.get("/account").form("login")
    login = visitor.http.cookies["__Host-login"]
    visitor.submit(form, "login", username="alice", password=PASSWORD)
    first = visitor.http.cookies["__Host-session"]
    thief.http.cookies.set("__Host-session", first, domain=HOST)
    assert thief.get("/account").title.startswith("Your apps")
    # A tab that was opened before still has the form, and the browser had its cookie.
    visitor.http.cookies.set("__Host-login", login, domain=HOST)
    visitor.submit(form, "login", username="alice", password=PASSWORD)
    assert visitor.http.cookies["__Host-session"] != first
    assert thief.get("/account").title.startswith("Log in")


def test_a_logout_ends_the_session_for_everybody_who_has_its_id(inside: Inside) -> None:
    """CWE-613: to forget a cookie in one browser is not enough."""
    visitor, thief = Visitor(inside), Visitor(inside)
    visitor.log_in("alice")
    session = visitor.http.cookies["__Host-session"]
    thief.http.cookies.set("__Host-session", session, domain=HOST)
    assert thief.get("/account").title.startswith("Your apps")
    assert visitor.post("/logout", visitor.get("/account").forms[-1].fields).status_code == 303
    assert thief.get("/account").title.startswith("Log in")


def test_two_session_cookies_are_none(inside: Inside) -> None:
    """One of them was tossed in by somebody else (RFC 6265bis §8.6)."""
    visitor = Visitor(inside)
    visitor.log_in("alice")
    good = visitor.http.cookies["__Host-session"]
    visitor.http.cookies.clear()
    one = visitor.get("/account", Cookie=f"__Host-session={good}")
    assert one.title.startswith("Your apps")
    two = visitor.get("/account", Cookie=f"__Host-session={good}; __Host-session={good}")
    assert two.title.startswith("Log in")


@pytest.mark.parametrize("value", ["", "a", "A" * 44, "../../x", "a b", "A" * 42 + "\\"])
def test_a_cookie_that_we_never_set_is_no_cookie(inside: Inside, value: str) -> None:
    """CWE-565."""
    page = Visitor(inside).get("/account", Cookie=f"__Host-session={value}")
    assert page.title.startswith("Log in")


def test_a_new_password_or_a_disabled_user_ends_each_session(inside: Inside) -> None:
    """CWE-613: whoever stole a session loses it with the password."""
    visitor = Visitor(inside)
    visitor.log_in("alice")
    changed = ALICE.password_hash.replace("BBBA", "BBBE")
    for users in (
        [msgspec.structs.replace(ALICE, password_hash=changed)],
        [msgspec.structs.replace(ALICE, disabled=True)],
        [],
    ):
        inside.take_over(users)
        assert visitor.get("/account").title.startswith("Log in")
    inside.take_over([ALICE])
    assert visitor.get("/account").title.startswith("Your apps")


def test_a_session_ends(inside: Inside) -> None:
    """CWE-613."""
    visitor = Visitor(inside)
    visitor.log_in("alice")
    inside.now += 8 * 3600
    assert visitor.get("/account").title.startswith("Log in")


def test_no_page_can_be_framed(inside: Inside) -> None:
    """Clickjacking (RFC 6749 §10.13, RFC 9700 §4.16)."""
    visitor = Visitor(inside)
    pages = [visitor.get(path) for path in ("/account", request(), "/logout", "/authorize")]
    visitor.log_in("alice")
    pages += [visitor.get(path) for path in ("/account", request(), "/logout")]
    for page in pages:
        assert page.response.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in page.response.headers["content-security-policy"]


def test_withdrawing_revokes_what_was_given(inside: Inside) -> None:
    """RFC 6819 §5.2.2.4: the owner's word ends what an app still holds."""
    visitor = Visitor(inside)
    visitor.log_in("alice")
    visitor.submit(visitor.get(request()).form("approve"), "approve")
    family = inside.log.lines[-1].split("family=")[1].split()[0]
    page = visitor.get("/account")
    assert visitor.submit(page.form("withdraw"), "withdraw").status_code == 303
    assert visitor.get("/account?withdrawn").text.count("no app may use your account") == 1
    token = TokenIdentity("j", "alice", "web", int(inside.now), family)
    assert inside.loop.run_until_complete(inside.store.is_revoked(token))
    assert visitor.get(request()).form("approve")


@pytest.mark.parametrize(
    "types",
    [[], ["application/x-www-form-urlencoded"] * 2, ["text/plain"], ["multipart/form-data"]],
    ids=["none", "two", "text", "multipart"],
)
def test_a_form_of_another_type_is_refused(inside: Inside, types: list[str]) -> None:
    """Other sites can send these without asking (Fetch §2.2.2); two are read in two ways."""
    visitor = Visitor(inside)
    form = visitor.get("/account").form("login")
    body = urlencode({**form.fields, **LOGIN})
    response = visitor.send("/account", body, [("Content-Type", kind) for kind in types])
    assert_not_logged_in(response)


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://web.example.com:8443/callback?a=b", "https://web.example.com:8443"),
        ("http://127.0.0.1:4711/callback", "http://127.0.0.1:4711"),
        ("http://[::1]:4711/callback", "http:"),  # CSP 3 §2.3.1 has no IPv6 addresses
        ("com.example.app:/callback", "com.example.app:"),
    ],
)
def test_a_form_leads_to_us_and_to_its_client_alone(
    hashes: CountedHashes,  # noqa: ARG001 - none is computed
    uri: str,
    source: str,
) -> None:
    """CSP 3 §6.4.2: Chromium holds the redirect after a form to it, too."""
    made = Inside([ALICE], [client(redirect_uris=(uri,))])
    visitor = Visitor(made)
    login = visitor.get(request(redirect_uri=uri))
    visitor.log_in("alice")
    consent = visitor.get(request(redirect_uri=uri))
    assert (login.title[:6], consent.title[:6]) == ("Log in", "Allow ")
    for page in (login, consent):
        policy = page.response.headers["content-security-policy"]
        assert f"form-action 'self' {source}; " in policy
    assert (
        "form-action 'self'; "
        in visitor.get("/account").response.headers["content-security-policy"]
    )
    made.close()
