from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server.keys import jwk
from oauth_server.keys.algorithms import KeyFormatError
from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm
from tests import vectors

RSA: dict[str, Any] = {**vectors.load("rfc7515-a2")["jwk"], "kid": "r"}
EC: dict[str, Any] = {**vectors.load("rfc7515-a3")["jwk"], "kid": "e"}
OKP: dict[str, Any] = {**vectors.load("rfc8037-a4")["jwk"], "kid": "o"}


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_what_is_published_can_be_registered(algorithm: Algorithm) -> None:
    public = PrivateKey.generate(algorithm).public
    found = jwk.read(public.to_jwk())
    assert (found.to_jwk(), found.algorithm) == (public.to_jwk(), algorithm)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({**EC, "d": "x"}, "private members"),
        ({"kty": "oct", "k": "x", "kid": "s"}, "private members"),
        ({"kty": "oct", "kid": "s"}, "kty must be"),
        ({**EC, "kty": ["EC"]}, "kty must be"),
        ({**EC, "crv": "P-384"}, "crv must be P-256"),
        ({**OKP, "crv": "Ed448"}, "crv must be Ed25519"),
        ({**OKP, "crv": "X25519"}, "crv must be Ed25519"),
        ({**EC, "x5c": ["x"]}, "not known"),
        ({**EC, "use": "enc"}, "for verifying"),
        ({**EC, "key_ops": ["sign"]}, "for verifying"),
        ({**EC, "kid": ""}, "kid must be"),
        ({**EC, "kid": None}, "kid must be"),
        ({**EC, "kid": "a\n"}, "kid must be"),
        ({**EC, "alg": "RS256"}, "alg must be ES256"),
        ({**RSA, "alg": "HS256"}, "alg must be RS256 or PS256"),
        ({**RSA, "alg": "none"}, "alg must be RS256 or PS256"),
        ({**RSA, "alg": ["RS256"]}, "alg must be RS256 or PS256"),
        ({**RSA, "n": RSA["n"][:100]}, "under 2048 bits"),
        ({**RSA, "n": RSA["n"] * 5}, "over 8192 bits"),
        ({**RSA, "n": RSA["n"] + "=="}, "does not make a key"),
        ({**RSA, "e": "Ag"}, "does not make a key"),
        ({**RSA, "e": RSA["n"]}, "does not make a key"),
        ({**EC, "y": EC["x"]}, "does not make a key"),
        ({**EC, "x": 1}, "x is missing"),
        ({**OKP, "x": "AA"}, "does not make a key"),
    ],
)
def test_a_key_that_is_none_for_us_is_refused(entry: dict[str, Any], problem: str) -> None:
    """RFC 8725 §3.4 (points off the curve), §3.5, RFC 7517 §4."""
    with pytest.raises(KeyFormatError, match=problem):
        jwk.read(entry)


VALUES = st.none() | st.integers() | st.lists(st.text()) | st.text() | st.just("AQAB")


@given(
    st.sampled_from([RSA, EC, OKP]),
    st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "alg"]), VALUES),
)
def test_any_jwk_is_a_key_or_refused(entry: dict[str, Any], changes: dict[str, object]) -> None:
    try:
        jwk.read({**entry, **changes})
    except KeyFormatError:
        return
