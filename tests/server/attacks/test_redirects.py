"""Attacks on where the answer goes (RFC 9700 §4.1, §4.11)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from oauth_server import clients
from oauth_server.errors import OperatorError
from oauth_server.protocol import form
from tests.server.person import WEB, Person, answer, request
from tests.server.process import Server, Site, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Server]:
    """Its own: what somebody allowed elsewhere is not asked here."""
    with serving(tmp_path_factory.mktemp("server"), site) as running:
        yield running


@pytest.fixture
def person(server: Server) -> Iterator[Person]:
    with Person(server) as somebody:
        yield somebody


EVIL = {
    "other-host": "https://evil.test/callback",
    "other-scheme": "http://web.example.com/callback",
    "subdomain": "https://evil.web.example.com/callback",
    "suffix": "https://web.example.com.evil.test/callback",
    "path-added": "https://web.example.com/callback/evil",
    "path-left-out": "https://web.example.com",
    "trailing-slash": "https://web.example.com/callback/",
    "dot-dot": "https://web.example.com/callback/../evil",
    "dot-dot-semicolon": "https://web.example.com/callback/..;/evil",
    "encoded-dot-dot": "https://web.example.com/callback/%2e%2e/evil",
    "encoded-slash": "https://web.example.com%2fcallback",
    "userinfo": "https://web.example.com@evil.test/callback",
    "two-userinfos": "https://web.example.com@@evil.test/callback",
    "userinfo-before": "https://evil@web.example.com/callback",
    "backslash": "https://evil.test\\@web.example.com/callback",
    "backslash-host": "https:\\\\web.example.com/callback",
    "host-in-capitals": "https://WEB.example.com/callback",
    "scheme-in-capitals": "HTTPS://web.example.com/callback",
    "path-in-capitals": "https://web.example.com/Callback",
    "idn": "https://wеb.example.com/callback",  # a Cyrillic е
    "idn-dot": "https://web.example.com。evil.test/callback",
    "punycode": "https://xn--wb-vlb.example.com/callback",
    "kelvin-sign": "https://web.example.com/callbac\u212a",
    "port": "https://web.example.com:443/callback",
    "fragment": "https://web.example.com/callback#evil",
    "empty-fragment": "https://web.example.com/callback#",
    "preloaded-code": "https://web.example.com/callback?code=stolen",
    "preloaded-state": "https://web.example.com/callback?state=mine",
    "preloaded-iss": "https://web.example.com/callback?iss=https://evil.test",
    "empty-query": "https://web.example.com/callback?",
    "leading-space": " https://web.example.com/callback",
    "trailing-space": "https://web.example.com/callback ",
    "newline": "https://web.example.com/callback\n",
    "tab": "https://web.example.com/call\tback",
    "nul": "https://web.example.com/callback\0.evil.test",
    "line-separator": "https://web.example.com/callback\u2028",
    "javascript": "javascript:alert(1)//https://web.example.com/callback",
    "data": "data:text/html,<script>alert(1)</script>",
    "relative": "/callback",
    "no-scheme": "//web.example.com/callback",
    "list": "https://web.example.com/callback https://evil.test",
}


@pytest.mark.parametrize("uri", EVIL.values(), ids=EVIL)
@pytest.mark.parametrize("fault", [{}, {"response_type": "token"}, {"scope": "admin"}], ids=str)
def test_nothing_is_sent_to_a_redirect_uri_that_is_not_the_clients(
    person: Person, uri: str, fault: dict[str, str]
) -> None:
    """RFC 9700 §4.1.3 exact match, §4.11.2; RFC 6749 §4.1.2.1: not even an error is."""
    response = person.http.get(request(redirect_uri=uri, **fault))
    assert response.status_code == 400
    assert "location" not in response.headers
    assert "form-action 'self';" in response.headers["content-security-policy"]
    assert "evil.test" not in response.text


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost/callback",
        "http://localhost:80/callback",
        "http://localhost.evil.test/callback",
        "http://localhost:80@evil.test/callback",
        "http://127.0.0.1:80@evil.test/callback",
        "http://127.0.0.1@evil.test/callback",
        "http://127.0.0.1.evil.test/callback",
        "http://127.0.0.1:8080.evil.test/callback",
        "http://127.0.0.1:99999/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:-1/callback",
        "http://127.0.0.1:٨٠/callback",
        "http://127.0.0.1:80:80/callback",
        "http://127.0.0.1:80\\@evil.test/callback",
        "http://127.0.0.1:80#@evil.test/callback",
        "http://127.0.0.1:80?@evil.test/callback",
        "http://127.0.0.2/callback",
        "http://127.1/callback",
        "http://0x7f000001/callback",
        "http://2130706433/callback",
        "http://[::1]/callback",
        "https://127.0.0.1/callback",
        "http://127.0.0.1:80/callback/..;/evil",
        "http://127.0.0.1:80/",
    ],
)
def test_only_the_port_of_a_loopback_address_may_differ(person: Person, uri: str) -> None:
    """RFC 8252 §7.3, §8.3."""
    response = person.http.get(request(client_id="app", redirect_uri=uri))
    assert response.status_code == 400
    assert "location" not in response.headers


def test_any_port_of_the_loopback_address_will_do(person: Person) -> None:
    """RFC 8252 §7.3."""
    for uri in ("http://127.0.0.1/callback", "http://127.0.0.1:65535/callback"):
        response = person.http.get(request(client_id="app", redirect_uri=uri, scope="admin"))
        assert response.headers["location"].startswith(f"{uri}?error=invalid_scope")


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
@pytest.mark.parametrize("second", ["", "web", WEB, "https://evil.test/"])
def test_what_decides_where_to_must_not_be_there_twice(
    person: Person, name: str, second: str
) -> None:
    """Duplicate parameters: RFC 6749 §3.1; readers differ in which of the two they take."""
    response = person.http.get(f"{request()}&{urlencode({name: second})}")
    assert response.status_code == 400
    assert "location" not in response.headers


@pytest.mark.parametrize(
    "name", ["response_type", "scope", "code_challenge", "code_challenge_method", "state", "x"]
)
def test_nothing_else_may_be_there_twice_either(person: Person, name: str) -> None:
    """RFC 6749 §3.1."""
    told = answer(person.http.get(f"{request()}&{name}=x&{name}=y"))
    assert told["error"] == "invalid_request"
    assert told.get("state") == (None if name == "state" else "a state")


def test_more_parameters_than_the_limit_are_refused_before_any_is_read(person: Person) -> None:
    """CWE-770; of 100,000 not even the head is read."""
    many = "&".join(f"{number}=" for number in range(form.MAX_PARAMETERS))
    response = person.http.get(f"{request()}&{many}")
    assert response.status_code == 400
    assert "location" not in response.headers


@pytest.mark.parametrize("client_id", ["nobody", "", "web\0", "WEB", "web ", "\u2028"])
def test_who_is_not_a_client_is_told_so_here(
    person: Person, server: Server, client_id: str
) -> None:
    """RFC 6749 §4.1.2.1."""
    response = person.http.get(request(client_id=client_id))
    assert response.status_code == 400
    assert "location" not in response.headers
    assert " 400 invalid_request authorize client_id=? " in server.log()[-1]


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\tscript:alert(1)",
        "javascript://web.example.com/%0aalert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://web.example.com/x",
        "https://web.example.com/?code=x",
        "https://web.example.com/?a=b&%73tate=x",
        "https://web.example.com/?iss=x",
    ],
)
def test_a_redirect_uri_that_attacks_cannot_be_registered(tmp_path: Path, uri: str) -> None:
    """javascript: in clients.json (RFC 9700 §4.1), and answers before the answer."""
    entry = {
        "client_id": "web",
        "grant_types": ["authorization_code"],
        "scope": "a",
        "token_endpoint_auth_method": "none",
        "redirect_uris": [uri],
    }
    path = tmp_path / "clients.json"
    path.write_text(json.dumps({"clients": [entry]}))
    with pytest.raises(OperatorError, match="redirect_uris"):
        clients.load(path)


def test_the_answer_says_who_answers(person: Person) -> None:
    """Mix-up (RFC 9207 §2, RFC 9700 §4.4): with a code and with an error."""
    assert answer(person.http.get(request(scope="admin")))["iss"] == "https://127.0.0.1"
    person.logged_in("dave")
    assert answer(person.allow(request()))["iss"] == "https://127.0.0.1"


def test_a_redirect_is_a_303(person: Person) -> None:
    """A 307 would hand a posted password to the client (RFC 9700 §4.12)."""
    assert person.log_in("dave").status_code == 303
    assert person.http.get(request(scope="admin")).status_code == 303
