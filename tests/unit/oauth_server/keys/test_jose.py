from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from joserfc.jwk import RSAKey

from oauth_server.keys.jose import KeyFormatError, PrivateKey, PublicKey
from tests import vectors


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def test_the_rfcs_example_of_a_thumbprint() -> None:
    vector = vectors.load("rfc7638")
    raw = RSAKey.import_key(vector["jwk"]).raw_value
    assert isinstance(raw, rsa.RSAPublicKey)
    assert PublicKey(raw).kid == vector["thumbprint"]
    assert PublicKey(raw).to_jwk()["n"] == vector["jwk"]["n"]


def test_a_token_is_a_jws_that_cryptography_itself_verifies(key: PrivateKey) -> None:
    """RFC 7515 §7.1 and RFC 7518 §3.3, without the library that made it."""
    token = key.sign("at+jwt", {"sub": "gateway_01"})
    header, payload, signature = token.split(".")
    assert json.loads(decoded(header)) == {"alg": "RS256", "typ": "at+jwt", "kid": key.public.kid}
    assert json.loads(decoded(payload)) == {"sub": "gateway_01"}
    public = serialization.load_pem_public_key(key.public.to_pem())
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(
        decoded(signature), f"{header}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )


def test_a_jwk_has_public_members_only(key: PrivateKey) -> None:
    """RFC 7517 §4, RFC 7518 §6.3.1."""
    assert sorted(key.public.to_jwk()) == ["alg", "e", "kid", "kty", "n", "use"]


def test_a_key_survives_its_files(key: PrivateKey) -> None:
    assert PrivateKey.from_pem(key.to_pem()).public.kid == key.public.kid
    assert PublicKey.from_pem(key.public.to_pem()).kid == key.public.kid


def test_a_generated_key_has_4096_bits() -> None:
    public = serialization.load_pem_public_key(PrivateKey.generate().public.to_pem())
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.key_size == 4096
    assert public.public_numbers().e == 65537


def pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None
) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    )


def test_keys_of_another_kind_are_refused() -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1())
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused
    with pytest.raises(KeyFormatError, match="not an RSA key"):
        PrivateKey.from_pem(pem(elliptic))
    with pytest.raises(KeyFormatError, match="under 2048 bits"):
        PrivateKey.from_pem(pem(short))
    with pytest.raises(KeyFormatError, match="not an unencrypted"):
        PrivateKey.from_pem(pem(elliptic, b"password"))


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(content: bytes) -> None:
    with pytest.raises(KeyFormatError, match="not an unencrypted PEM private key"):
        PrivateKey.from_pem(content)
    with pytest.raises(KeyFormatError, match="not a PEM public key"):
        PublicKey.from_pem(content)
