"""LOGIN: the pages on which people give their password, and what may lead there."""

from __future__ import annotations

import http.client
import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.audit.subject import Answer
from tests.audit.tls import Client, Response
from tests.audit.verdict import must_equal, must_hold, not_checked

pytestmark = pytest.mark.group("auth_servers")

_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636 appendix B

# The hashes of secrets stay on the host.
QUESTIONS = {
    "clients": r"""sed -z 's/"client_secret_hash"\s*:\s*"[^"]*"/"client_secret_hash":""/g' """
    "/etc/oauth2/clients.json"
}


def _app(answer: Answer) -> tuple[str, str, str]:
    """An app of the host's, to send requests as: its name, its address, a scope."""
    try:
        apps = [
            (client["client_id"], client["redirect_uris"][0], client["scope"].split()[0])
            for client in json.loads(answer.output)["clients"]
            if "authorization_code" in client["grant_types"]
        ]
    except (ValueError, LookupError, TypeError):
        pytest.fail(f"this lists no clients: {answer.command.split()[-1]}", pytrace=False)
    if not apps:
        not_checked("no client of the host has authorization_code")
    return apps[0]


def _get(client: Client, path: str) -> Response:
    try:
        return client.request(path)
    except (OSError, http.client.HTTPException) as error:
        pytest.fail(
            f"{path.partition('?')[0]} must answer on 443\n"
            f"  expected: an answer over verified TLS\n  seen:     {error}",
            pytrace=False,
        )


@pytest.mark.control("LOGIN-01")
@pytest.mark.parametrize(
    "pkce",
    [
        {},
        {"code_challenge": _CHALLENGE},
        {"code_challenge": _CHALLENGE, "code_challenge_method": "plain"},
    ],
    ids=["without-pkce", "method-left-out", "plain"],
)
def test_no_code_is_to_be_had_without_s256(
    answers: dict[str, Answer], client: Client, pkce: dict[str, str]
) -> None:
    """A code that was stolen on its way is worth nothing without the verifier."""
    client_id, redirect_uri, scope = _app(answers["clients"])
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": "audit",
        **pkce,
    }
    response = _get(client, f"/authorize?{urlencode(asked)}")
    answer = parse_qs(urlsplit(response.headers.get("Location", "")).query)
    must_equal(
        "the request must be refused, at the client",
        seen={"status": response.status, "error": answer.get("error"), "code": answer.get("code")},
        expected={"status": 303, "error": ["invalid_request"], "code": None},
    )


@pytest.mark.control("LOGIN-01")
def test_the_metadata_promises_s256_alone(client: Client) -> None:
    """Clients choose by it."""
    response = _get(client, "/.well-known/oauth-authorization-server")
    try:
        promised = response.json().get("code_challenge_methods_supported")
    except ValueError:
        promised = "no JSON"
    must_equal("code_challenge_methods_supported must be", seen=promised, expected=["S256"])


@pytest.mark.control("LOGIN-02")
def test_the_login_page_can_be_neither_framed_nor_scripted_nor_kept(client: Client) -> None:
    """What a browser is told to refuse."""
    response = _get(client, "/account")
    must_equal("the login page's status must be", seen=response.status, expected=200)
    policy = response.headers.get("Content-Security-Policy", "")
    for directive in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        must_hold(
            "the Content-Security-Policy must say",
            directive in policy.split("; "),
            expected=directive,
            seen=policy or "no policy",
        )
    must_hold(
        "the Content-Security-Policy must allow nothing that is written into the page",
        not re.search(r"script-src|unsafe|\*", policy),
        expected="no script-src, no unsafe-…, no *",
        seen=policy,
    )
    wanted = {
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    must_equal(
        "headers of the login page",
        seen={name: response.headers.get(name, "missing") for name in wanted},
        expected=wanted,
    )


@pytest.mark.control("LOGIN-03")
def test_cookies_are_this_hosts_alone(client: Client) -> None:
    """No script, no other host of the domain and no plain connection gets at them."""
    cookies = _get(client, "/account").headers.get_all("Set-Cookie") or []
    must_hold(
        "the login page must set a cookie for its form",
        cookies,
        expected="Set-Cookie: __Host-login=…",
        seen="no cookie",
    )
    for cookie in cookies:
        name, *attributes = [part.strip() for part in cookie.partition("=")[0::2]]
        given = {each.strip().lower() for each in "".join(attributes).split(";")[1:]}
        must_equal(
            f"the cookie {name}",
            seen={
                "prefix": name.startswith("__Host-"),
                "missing": {"secure", "httponly", "samesite=lax", "path=/"} - given,
                "domain": any(each.startswith("domain") for each in given),
            },
            expected={"prefix": True, "missing": set(), "domain": False},
        )
