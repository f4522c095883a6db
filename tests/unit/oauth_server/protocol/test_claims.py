"""Where the boundaries of time are, in access tokens and in assertions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server.models import Algorithm
from oauth_server.protocol import access_token, assertion
from oauth_server.protocol.claims import ClaimsError
from oauth_server.protocol.jws import Jws

ISSUER = "https://a.example"
LEEWAY = timedelta(seconds=30)
CLAIMS: dict[str, object] = {
    "iss": ISSUER, "sub": "ada", "aud": "https://api.example", "exp": 2000, "iat": 1000,
    "jti": "j", "client_id": "web", "scope": "a",
}  # fmt: skip
ASSERTED: dict[str, object] = {
    "iss": "web", "sub": "web", "aud": ISSUER, "exp": 1300, "jti": "j",
}  # fmt: skip


def sent(claims: dict[str, object], typ: str | None = "at+jwt") -> Jws:
    return Jws(Algorithm.RS256, "kid", typ, claims, b"", b"")


def fault(claims: dict[str, object], now: float, audience: str | None = None) -> str | None:
    try:
        access_token.read(sent(claims), issuer=ISSUER, now=now, leeway=LEEWAY, audience=audience)
    except ClaimsError as error:
        return error.reason
    return None


def fault_of_assertion(claims: dict[str, object], now: float) -> str | None:
    try:
        assertion.read(sent(claims, None), issuer=ISSUER, now=now, leeway=LEEWAY)
    except ClaimsError as error:
        return error.reason
    return None


def test_a_token_ends_at_its_end_and_not_after_it() -> None:
    """RFC 7519 §4.1.4: "on or after which"."""
    assert fault(CLAIMS, 2029.99) is None
    assert fault(CLAIMS, 2030) == "token_expired"


def test_a_token_begins_when_it_was_issued() -> None:
    """RFC 7519 §4.1.5: a clock may be behind by the leeway."""
    assert fault(CLAIMS, 970) is None
    assert fault(CLAIMS, 969.99) == "token_not_yet_valid"


def test_a_resource_server_is_among_the_audiences() -> None:
    """RFC 9068 §4."""
    assert fault(CLAIMS, 1000, "https://api.example") is None
    assert fault({**CLAIMS, "aud": ["x", "https://api.example"]}, 1000, "x") is None
    assert fault(CLAIMS, 1000, "https://api.example/") == "token_audience"
    assert fault(CLAIMS, 1000, "https://api.exampl") == "token_audience"


@pytest.mark.parametrize("aud", [[], [1], [""], "", {}, None, ["a", None]])
def test_an_audience_is_text_or_a_list_of_it(aud: object) -> None:
    assert fault({**CLAIMS, "aud": aud}, 1000) == "token_malformed"


def test_an_assertion_ends_at_its_end_and_is_no_longer_than_five_minutes() -> None:
    """RFC 7523 §3, point 4."""
    assert fault_of_assertion(ASSERTED, 1329.99) is None
    assert fault_of_assertion(ASSERTED, 1330) == "assertion_expired"
    assert fault_of_assertion(ASSERTED, 970) is None
    assert fault_of_assertion(ASSERTED, 969) == "assertion_too_long"


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "family"]), VALUES))
def test_whatever_claims_there_are_they_are_good_or_a_fault_has_a_name(
    changes: dict[str, object],
) -> None:
    fault({**CLAIMS, **changes}, 1000)
    fault_of_assertion({**ASSERTED, **changes}, 1000)
