"""The audit's own verification of tokens and keys."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm
from tests.audit import jose

KEY = rsa.generate_private_key(65537, 2048)
KID = jose.thumbprint(KEY.public_key())
KEYS = {KID: KEY.public_key()}


def _token(header: dict[str, object], key: rsa.RSAPrivateKey = KEY) -> str:
    signed = ".".join(jose.encode(json.dumps(part).encode()) for part in (header, {"sub": "a"}))
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{jose.encode(signature)}"


def test_the_thumbprint_is_the_rfcs() -> None:
    """RFC 7638 §3.1's example."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
        "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY"
        "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f"
        "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    number = int.from_bytes(jose.decode(modulus), "big")
    key = rsa.RSAPublicNumbers(65537, number).public_key()
    assert jose.thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert jose.jwk(key)["n"] == modulus
    assert jose.jwk(key)["e"] == "AQAB"


def test_a_token_of_a_key_on_the_host_verifies() -> None:
    header, claims = jose.verify(_token({"alg": "RS256", "kid": KID, "typ": "at+jwt"}), KEYS)
    assert (header["typ"], claims) == ("at+jwt", {"sub": "a"})


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        pytest.param("a.b", "not three parts", id="two-parts"),
        pytest.param("a.b.c.d", "not three parts", id="four-parts"),
        pytest.param("!.b.c", "cannot be decoded", id="not-base64url"),
        pytest.param(_token({"alg": "none", "kid": KID}), "signed by none", id="rfc8725-3.1-none"),
        pytest.param(
            _token({"alg": "HS256", "kid": KID}), "signed by HS256", id="rfc8725-3.1-hmac"
        ),
        pytest.param(_token({"alg": "RS256", "kid": "x"}), "no key on the host", id="unknown-kid"),
        pytest.param(_token({"alg": "RS256"}), "no key on the host", id="no-kid"),
        pytest.param(
            _token({"alg": "RS256", "kid": KID}, rsa.generate_private_key(65537, 2048)),
            "not of the key that it names",
            id="another-key",
        ),
    ],
)
def test_any_other_token_is_refused_with_the_reason(token: str, reason: str) -> None:
    with pytest.raises(jose.TokenError, match=reason):
        jose.verify(token, KEYS)


@pytest.mark.parametrize("text", ["YQ==", "YR", "Y", "Y Q", "YQ\n", "Y+"])
def test_only_canonical_base64url_is_decoded(text: str) -> None:
    """RFC 7515 §2: no padding; the last character has no stray bits."""
    with pytest.raises(ValueError, match=r"base64|padding|characters"):
        jose.decode(text)


def test_a_key_of_another_kind_is_refused() -> None:
    public = ec.generate_private_key(ec.SECP384R1()).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValueError, match="not an RSA, P-256 or Ed25519 key"):
        jose.public_key(pem)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_each_algorithm_of_the_servers_verifies_and_no_other_keys_signature(
    algorithm: Algorithm,
) -> None:
    key, other = PrivateKey.generate(algorithm), PrivateKey.generate(algorithm)
    public = jose.public_key(key.public.to_pem().decode())
    assert jose.thumbprint(public) == key.public.kid
    assert jose.jwk(public).items() <= key.public.to_jwk().items()
    token = key.sign("at+jwt", {"sub": "a"})
    assert jose.verify(token, {key.public.kid: public})[1] == {"sub": "a"}
    wrong = jose.public_key(other.public.to_pem().decode())
    with pytest.raises(jose.TokenError, match="not of the key that it names"):
        jose.verify(token, {key.public.kid: wrong})


def test_a_key_is_for_the_algorithms_of_its_kind() -> None:
    """RFC 8725 §3.1."""
    with pytest.raises(jose.TokenError, match="the key that it names is not for ES256"):
        jose.verify(_token({"alg": "ES256", "kid": KID}), KEYS)
