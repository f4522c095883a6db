from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from oauth_server.http import cookies

GOOD = "A" * 43
PIECES = st.sampled_from([cookies.SESSION, cookies.LOGIN, GOOD, "=", ";", " ", "\t", '"', ",", "x"])


def read(*headers: str) -> str | None:
    """The session among the cookies of a request."""
    sent = [(b"cookie", header.encode("latin-1")) for header in headers]
    return cookies.read(Request({"type": "http", "headers": sent}), cookies.SESSION)


def test_a_cookie_is_found_among_others() -> None:
    assert read(f"a=b; {cookies.SESSION}={GOOD}; c") == GOOD
    assert read("a=b", f"{cookies.SESSION}={GOOD}") == GOOD  # RFC 9113 §8.2.3 lets them be split


def test_a_name_that_contains_ours_is_another() -> None:
    """RFC 6265bis §4.1.3: only the whole prefix keeps other hosts out."""
    for name in (f"x{cookies.SESSION}", f"{cookies.SESSION}x", cookies.SESSION.lower(), "session"):
        assert read(f"{name}={GOOD}") is None


def test_the_same_name_twice_is_nobodys() -> None:
    """RFC 6265bis §8.6: one of them was tossed in."""
    pair = f"{cookies.SESSION}={GOOD}"
    assert read(f"{pair}; {pair}") is None
    assert read(pair, pair) is None


@given(st.lists(st.lists(PIECES, max_size=9).map("".join), max_size=3))
def test_any_header_gives_a_value_of_ours_or_none(headers: list[str]) -> None:
    assert read(*headers) in {GOOD, None}


@given(st.text(st.characters(max_codepoint=0xFF)))
def test_any_text_gives_a_value_of_ours_or_none(header: str) -> None:
    found = read(header)
    assert found is None or len(found) == 43


def test_what_is_put_is_for_this_host_alone_and_no_script() -> None:
    """RFC 6265bis §4.1.3: __Host- wants Secure, Path=/ and no Domain."""
    response = Response()
    cookies.put(response, cookies.SESSION, GOOD)
    cookies.remove(response, cookies.LOGIN)
    attributes = "Path=/; Secure; HttpOnly; SameSite=Lax"
    assert response.headers.getlist("set-cookie") == [
        f"__Host-session={GOOD}; {attributes}",
        f"__Host-login=; Max-Age=0; {attributes}",
    ]
