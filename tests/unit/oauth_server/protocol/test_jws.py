from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server.models import Algorithm
from oauth_server.protocol import base64url, jws, strict_json
from oauth_server.protocol.jws import Jws, JwsError
from tests import vectors

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
HEADERS = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "b64"]),
    st.sampled_from(["RS256", "ES256", "none", "HS256", "at+jwt"]) | JSON,
)


def token(header: object, claims: object, signature: bytes = b"signature") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(map(base64url.encode, parts))


def outcome(text: str) -> Jws | None:
    """A JwsError is the only exception there may be."""
    try:
        return jws.parse(text)
    except JwsError:
        return None


def test_a_token_is_read_as_it_was_sent() -> None:
    text = token({"alg": "ES256", "kid": "k", "typ": "at+jwt"}, {"sub": "ada", "exp": 1})
    found = jws.parse(text)
    assert (found.algorithm, found.kid, found.typ) == (Algorithm.ES256, "k", "at+jwt")
    assert found.claims == {"sub": "ada", "exp": 1}
    assert found.signature == b"signature"
    assert found.signing_input.decode() == text.rpartition(".")[0]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(vectors.load("rfc7515-a5")["jws"], id="rfc7515-a.5-alg-none"),
        pytest.param(vectors.load("rfc7519")["unsecured"], id="rfc7519-6.1-unsecured"),
        pytest.param(vectors.load("rfc7519")["hs256"], id="rfc7519-3.1-hmac"),
        pytest.param(vectors.load("rfc7515-a2")["jws"], id="rfc7515-a.2-without-kid"),
    ],
)
def test_the_rfcs_examples_of_what_is_not_for_us_are_refused(text: str) -> None:
    assert outcome(text) is None


@given(st.text(max_size=200))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    outcome(text)


@given(HEADERS, JSON, st.binary(max_size=80))
def test_any_header_and_payload_are_a_token_or_refused(
    header: object, claims: object, signature: bytes
) -> None:
    found = outcome(token(header, claims, signature))
    if found is not None:
        assert isinstance(header, dict)
        assert header.keys() <= {"alg", "kid", "typ"}
        assert header["alg"] == found.algorithm.value
        assert found.claims == claims


@given(st.lists(st.binary(max_size=60), min_size=3, max_size=3))
def test_any_octets_in_three_parts_are_a_token_or_refused(parts: list[bytes]) -> None:
    outcome(".".join(map(base64url.encode, parts)))


@given(st.binary(max_size=60))
def test_base64url_is_read_back(content: bytes) -> None:
    assert base64url.decode(base64url.encode(content)) == content


@given(st.text(st.sampled_from("AQgwab-_+/=. \n\u00e9"), max_size=12))
def test_base64url_has_one_spelling(text: str) -> None:
    """RFC 7515 §2: whatever is read is what would have been written."""
    try:
        content = base64url.decode(text)
    except ValueError:
        return
    assert base64.urlsafe_b64encode(content).rstrip(b"=").decode() == text


@given(JSON)
def test_json_is_read_in_one_way_or_not_at_all(document: object) -> None:
    content = json.dumps(document).encode()
    try:
        found = strict_json.parse_object(content)
    except ValueError:
        return
    assert found == document


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 1, "a": 1}', b'{"a": {"b": 1, "b": 2}}', b'{"a": NaN}', b'{"a": Infinity}',
        b'{"a": 1e400}', b'{"a": -1e400}', b'{"a": ' + b"9" * 16 + b"}", b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}', b'{"a": ' + b"[" * 100_000, b"[]", b"1", b"", b"{", b'{"a": 1} x',
        b"\xff", b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_json_that_could_be_read_in_two_ways_is_refused(content: bytes) -> None:
    """RFC 8259 §4, RFC 7493 §2."""
    with pytest.raises(ValueError, match=r"."):
        strict_json.parse_object(content)
