from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.models import AuthMethod, Client, GrantType
from oauth_server.protocol import authorization_request, redirect_uri
from oauth_server.protocol.authorization_request import AuthorizationError, AuthorizationRequest

ISSUER = "https://id.example.com"
WEB = "https://web.example.com/callback?a=b"
# RFC 7636 appendix B.
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def client(**changes: Any) -> Client:
    return Client(
        **{
            "client_id": "web",
            "grant_types": (GrantType.AUTHORIZATION_CODE,),
            "scope": "read write",
            "token_endpoint_auth_method": AuthMethod.NONE,
            "redirect_uris": (WEB,),
            **changes,
        }
    )


CLIENTS = {
    entry.client_id: entry
    for entry in (
        client(),
        client(client_id="app", redirect_uris=("http://127.0.0.1/cb", "http://[::1]:1/cb")),
        client(client_id="machine", redirect_uris=(WEB,),
               grant_types=(GrantType.CLIENT_CREDENTIALS,)),
        client(client_id="apis", audience=("https://a.example.com", "https://b.example.com")),
    )
}  # fmt: skip

GOOD = {
    "response_type": "code",
    "client_id": "web",
    "redirect_uri": WEB,
    "scope": "read",
    "state": "s",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def read(**changes: str | None) -> AuthorizationRequest:
    query = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return authorization_request.read(urlencode(query).encode(), CLIENTS, ISSUER)


def test_the_challenge_is_rfc_7636s_appendix_b() -> None:
    verifier = b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    digest = urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=")
    assert digest.decode() == read().code_challenge


def test_a_request_is_read() -> None:
    asked = read()
    assert asked.client is CLIENTS["web"]
    assert asked.redirect_uri == asked.answer.redirect_uri == WEB
    assert asked.scope == "read"
    assert asked.audience == (ISSUER,)


def test_what_is_omitted_is_what_is_registered() -> None:
    asked = read(scope=None, redirect_uri=None, state="")
    assert asked.scope == "read write"
    assert asked.redirect_uri == ""
    assert asked.answer.redirect_uri == WEB
    assert asked.answer.state is None


def test_a_resource_narrows_the_audience() -> None:
    """RFC 8707 §2."""
    assert read(client_id="apis", resource="https://b.example.com").audience == (
        "https://b.example.com",
    )
    with pytest.raises(AuthorizationError) as refused:
        read(client_id="apis", resource="https://c.example.com")
    assert refused.value.code is ErrorCode.INVALID_TARGET


def test_one_resource_a_request() -> None:
    query = urlencode([*GOOD.items(), ("resource", "a"), ("resource", "b")]).encode()
    with pytest.raises(AuthorizationError) as refused:
        authorization_request.read(query, CLIENTS, ISSUER)
    assert refused.value.code is ErrorCode.INVALID_TARGET


def test_a_client_without_the_grant_is_told_so() -> None:
    with pytest.raises(AuthorizationError) as refused:
        read(client_id="machine")
    assert refused.value.code is ErrorCode.UNAUTHORIZED_CLIENT


def test_an_error_keeps_the_registered_query_and_the_state() -> None:
    with pytest.raises(AuthorizationError) as refused:
        read(response_type="token", state="a b&c=d#é")
    location = refused.value.location
    assert location.startswith(f"{WEB}&error=unsupported_response_type&")
    told = dict(parse_qsl(urlsplit(location).query))
    assert (told["state"], told["iss"], told["a"]) == ("a b&c=d#é", ISSUER, "b")


def test_a_request_that_is_too_long_is_refused() -> None:
    with pytest.raises(ProtocolError) as refused:
        read(state="a" * 8192)
    assert not isinstance(refused.value, AuthorizationError)


names = st.sampled_from([*GOOD, "resource", "response_mode", "x", ""])
values = st.sampled_from([*GOOD.values(), "", "%", "%0d%0a", "%ff", "+"]) | st.text(max_size=20)


@given(pairs=st.lists(st.tuples(names, values), max_size=12), whole=st.booleans())
def test_a_query_is_read_shown_or_sent_to_the_client_alone(
    pairs: list[tuple[str, str]], whole: bool
) -> None:
    """Whatever is asked, an answer goes to a registered redirect URI or nowhere."""
    given_pairs = [*GOOD.items(), *pairs] if whole else pairs
    query = "&".join(f"{name}={value}" for name, value in given_pairs).encode("utf-8", "replace")
    try:
        asked = authorization_request.read(query, CLIENTS, ISSUER)
    except AuthorizationError as error:
        location = error.location
    except ProtocolError:
        return
    else:
        assert len(asked.code_challenge) == 43
        assert set(asked.scope.split()) <= {"read", "write"}
        location = asked.answer.location({"code": "c"})
    assert location.startswith((f"{WEB}&", "http://127.0.0.1/cb?", "http://[::1]:1/cb?"))
    assert location.isascii()
    assert location.isprintable()
    assert " " not in location


@given(query=st.binary(max_size=200))
def test_any_bytes_are_refused_in_a_sentence(query: bytes) -> None:
    with pytest.raises(ProtocolError):
        authorization_request.read(query, CLIENTS, ISSUER)


@given(state=st.binary(min_size=1, max_size=100))
def test_any_state_comes_back_byte_for_byte(state: bytes) -> None:
    """RFC 6749 §4.1.2."""
    query = urlencode({**GOOD, "state": state}).encode()
    answer = authorization_request.read(query, CLIENTS, ISSUER).answer
    assert answer.state == state
    returned = answer.location({"code": "c"}).split("&state=")[1].split("&")[0]
    assert unquote_to_bytes(returned) == state


@given(requested=st.text(max_size=60), port=st.integers(0, 70_000))
def test_a_redirect_uri_matches_itself_or_another_port_of_loopback(
    requested: str, port: int
) -> None:
    """RFC 8252 §7.3."""
    registered = "http://127.0.0.1:8080/cb?x=y"
    assert redirect_uri.matches(requested, registered) is (requested == registered)
    assert redirect_uri.matches(f"http://127.0.0.1:{port}/cb?x=y", registered) is (0 < port < 65536)
    assert not redirect_uri.matches(f"https://web.example.com:{port}/", "https://web.example.com/")


@pytest.mark.parametrize(
    ("uri", "origin", "claimed"),
    [
        ("https://web.example.com:8443/a?b", "https://web.example.com:8443", True),
        ("HTTPS://Web.example.com/a", "https://Web.example.com", True),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:1", False),
        ("http://[::1]/cb", "http://[::1]", False),
        ("com.example.app:/cb", "com.example.app:", False),
        ("https://web.example.com?a=b", "https://web.example.com", True),
    ],
)
def test_an_origin_is_what_a_policy_and_a_person_are_told(
    uri: str, origin: str, claimed: bool
) -> None:
    assert redirect_uri.origin(uri) == origin
    assert redirect_uri.is_claimed(uri) is claimed
