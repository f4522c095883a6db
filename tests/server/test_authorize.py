"""The authorization endpoint, from the request to the code, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import httpx
import pytest

from tests.server.person import CHALLENGE, WEB, Person, answer, request
from tests.server.process import Server, Site, serving

ISSUER = "https://127.0.0.1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Server]:
    """Its own: what somebody allowed elsewhere is not asked here."""
    with serving(tmp_path_factory.mktemp("server"), site) as running:
        yield running


@pytest.fixture
def person(server: Server) -> Iterator[Person]:
    with Person(server) as somebody:
        yield somebody


def test_a_person_logs_in_allows_and_is_sent_back_with_a_code(
    person: Person, server: Server
) -> None:
    login = person.get(request())
    assert login.title.startswith("Log in – ")
    assert "to continue to Weather Map" in login.text
    logged_in = person.submit(
        login.form("login"), "login", username="alice", password="correct horse battery"
    )
    assert logged_in.status_code == 303
    assert logged_in.headers["location"] == request()

    consent = person.get(request())
    assert consent.title.startswith("Allow Weather Map? – ")
    for shown in ("telemetry:read", "web.example.com", "alice"):
        assert shown in consent.text
    allowed = person.submit(consent.form("approve"), "approve")
    assert allowed.headers["location"].startswith(f"{WEB}?code=")
    told = answer(allowed)
    assert told.keys() == {"code", "state", "iss"}
    assert len(told["code"]) == 43
    assert (told["state"], told["iss"]) == ("a state", ISSUER)

    line = server.log()[-1]
    assert " 303 - consent client_id=web username=alice family=" in line
    assert told["code"] not in server.log_file.read_text()


def test_what_was_allowed_is_not_asked_again_unless_it_is_more(person: Person) -> None:
    person.logged_in("bob").allow(request())
    again = person.http.get(request(state="other"))
    assert answer(again)["state"] == "other"
    more = person.get(request(scope="telemetry:read telemetry:write"))
    assert more.form("approve")
    person.submit(more.form("approve"), "approve")
    assert "code" in answer(person.http.get(request(scope="telemetry:write")))


def test_what_was_allowed_at_one_resource_is_asked_again_for_another(person: Person) -> None:
    """RFC 8707 §2: the page says where, and nobody has agreed to anywhere else."""

    def asked(scope: str, resource: str | None) -> str:
        portal = {"client_id": "portal", "redirect_uri": "https://b.example.com/"}
        return request(**portal, scope=scope, resource=resource)

    def is_allowed(scope: str, resource: str | None) -> bool:
        return person.http.get(asked(scope, resource)).status_code == 303

    read, write = "telemetry:read", "telemetry:write"
    api, other = "https://api.example.com", "https://other.example.com"
    person.logged_in("frank").allow(asked(read, api))
    assert is_allowed(read, api)
    assert not is_allowed(read, other)
    assert not is_allowed(read, None)  # both
    person.allow(asked(read, other))
    assert is_allowed(read, None)
    # Nobody has been asked for writing at the first.
    person.allow(asked(write, other))
    assert is_allowed(write, other)
    assert not is_allowed(write, api)


def test_a_loopback_client_is_asked_each_time(person: Person) -> None:
    """RFC 8252 §8.6: any program on the machine could pass for it."""
    native = request(client_id="app", redirect_uri="http://127.0.0.1:4711/callback")
    person.logged_in("bob").allow(native)
    page = person.get(native)
    assert page.form("approve")
    assert "a program on this computer (127.0.0.1:4711)" in page.text.replace("( ", "(")


def test_a_denial_is_told_to_the_client(person: Person, server: Server) -> None:
    """RFC 6749 §4.1.2.1, RFC 9207 §2."""
    form = person.logged_in("carol").get(request()).form("deny")
    told = answer(person.submit(form, "deny"))
    assert told["error"] == "access_denied"
    assert (told["state"], told["iss"]) == ("a state", ISSUER)
    assert " 303 access_denied consent client_id=web username=carol " in server.log()[-1]
    assert person.get(request()).form("approve")


def test_a_registered_query_stays(person: Person) -> None:
    """RFC 6749 §3.1.2."""
    uri = "https://portal.example.com/in?tenant=7&lang=en"
    allowed = person.logged_in("carol").allow(request(client_id="portal", redirect_uri=uri))
    assert allowed.headers["location"].startswith(f"{uri}&code=")


def test_the_only_redirect_uri_need_not_be_named(person: Person) -> None:
    allowed = person.logged_in("carol").allow(request(redirect_uri=None, state=None))
    assert allowed.headers["location"].startswith(f"{WEB}?code=")
    assert answer(allowed).keys() == {"code", "iss"}


def test_one_of_several_must_be_named(person: Person) -> None:
    page = person.get(request(client_id="portal", redirect_uri=None))
    assert page.response.status_code == 400


@pytest.mark.parametrize(
    "state", ["a&b=c", "+", "%20", "é\u2028", "\r\nSet-Cookie: a=b", "\0", "<script>", "a" * 2000]
)
def test_the_state_comes_back_as_it_was(person: Person, state: str) -> None:
    """RFC 6749 §4.1.2."""
    response = person.http.get(request(state=state, response_type="token"))
    assert answer(response)["state"] == state
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("state", ["%FF%fe", "%e2%80", "a%2Fb%7e"])
def test_even_bytes_that_are_no_text_come_back(person: Person, state: str) -> None:
    response = person.http.get(f"{request(state=None, response_type='x')}&state={state}")
    returned = httpx.URL(response.headers["location"]).query.split(b"state=")[1].split(b"&")[0]
    assert unquote_to_bytes(returned) == unquote_to_bytes(state)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"response_type": None}, "invalid_request", id="no-response-type"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit"),
        pytest.param({"response_type": "code token"}, "unsupported_response_type", id="hybrid"),
        pytest.param({"response_mode": "fragment"}, "invalid_request", id="response-mode"),
        pytest.param({"code_challenge": None}, "invalid_request", id="no-pkce"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="rfc7636-4.3-default"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="plain"),
        pytest.param({"code_challenge_method": "s256"}, "invalid_request", id="case"),
        pytest.param({"code_challenge": CHALLENGE[:-1]}, "invalid_request", id="42-characters"),
        pytest.param({"code_challenge": CHALLENGE + "A"}, "invalid_request", id="44-characters"),
        pytest.param({"code_challenge": CHALLENGE + "\n"}, "invalid_request", id="newline"),
        pytest.param({"code_challenge": CHALLENGE + "="}, "invalid_request", id="padding"),
        pytest.param({"scope": "admin"}, "invalid_scope", id="scope-not-registered"),
        pytest.param({"scope": "a  b"}, "invalid_scope", id="scope-malformed"),
        pytest.param({"resource": "https://evil.test"}, "invalid_target", id="rfc8707-2"),
        pytest.param({"request": "eyJ"}, "invalid_request", id="request-object"),
        pytest.param({"request_uri": "https://evil.test"}, "invalid_request", id="request-uri"),
    ],
)
def test_a_fault_beyond_the_redirect_uri_goes_to_the_client(
    person: Person, changes: dict[str, str | None], error: str
) -> None:
    """RFC 6749 §4.1.2.1; whoever is logged in or not."""
    response = person.http.get(request(**changes))
    told = answer(response)
    assert response.headers["location"].startswith(f"{WEB}?error=")
    assert told.keys() == {"error", "error_description", "state", "iss"}
    assert (told["error"], told["state"], told["iss"]) == (error, "a state", ISSUER)


def test_a_client_must_be_registered_for_codes(person: Person) -> None:
    """It has no redirect URI either, so that there is nowhere to go."""
    response = person.http.get(request(client_id="gateway_01"))
    assert response.status_code == 400


def test_a_post_is_checked_as_a_get_is(person: Person) -> None:
    person.logged_in("erin")
    form = person.get(request()).form("approve")
    changed = request(redirect_uri="https://evil.test/")
    response = person.http.post(changed, data={**form.fields, "action": "approve"})
    assert response.status_code == 400
    assert "location" not in response.headers


def test_an_approval_is_for_its_own_request_alone(person: Person) -> None:
    """A page that asked for less must not allow more."""
    form = person.logged_in("erin").get(request()).form("approve")
    more = request(scope="telemetry:write")
    response = person.http.post(more, data={**form.fields, "action": "approve"})
    assert response.status_code == 400
    assert "code=" not in str(response.headers)


def test_a_form_that_says_nothing_known_is_refused(person: Person) -> None:
    response = person.logged_in("erin").http.post(request(), data={"action": "steal"})
    assert response.status_code == 400


def test_who_logged_out_meanwhile_logs_in_again(person: Person) -> None:
    form = person.logged_in("erin").get(request()).form("approve")
    person.http.cookies.clear()
    response = person.submit(form, "approve")
    assert (response.status_code, response.headers["location"]) == (303, request())


def test_a_page_has_what_keeps_others_out_of_it(person: Person) -> None:
    headers = person.get(request()).response.headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' https://web.example.com;" in policy
    assert "base-uri 'none'" in policy
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    (cookie,) = headers.get_list("set-cookie")
    assert cookie.startswith("__Host-login=")
    assert cookie.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")


def test_who_asks_for_a_page_that_is_not_there_gets_a_page(person: Person) -> None:
    response = person.http.get("/nowhere", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")
    assert person.http.get("/nowhere").headers["content-type"] == "application/json"
    assert person.http.put("/authorize").status_code == 405
