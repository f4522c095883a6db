from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from oauth_server.keys import jwk
from oauth_server.keys.jose import KeyFormatError, PrivateKey, PublicKey
from oauth_server.models import Algorithm
from tests import vectors

BENT = PrivateKey.generate(Algorithm.ES256).to_pem()


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
    elliptic = ec.generate_private_key(ec.SECP384R1())
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - to be refused
    with pytest.raises(KeyFormatError, match="not a P-256 key"):
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


BEGIN = st.sampled_from([b"", b"-----BEGIN PRIVATE KEY-----\n", b"-----BEGIN PUBLIC KEY-----\n"])


@given(start=BEGIN, content=st.binary(max_size=80))
def test_any_bytes_are_a_key_or_refused(start: bytes, content: bytes) -> None:
    pem = start + base64.b64encode(content) + start.replace(b"BEGIN", b"END")
    for read in (PrivateKey.from_pem, PublicKey.from_pem):
        with pytest.raises(KeyFormatError):
            read(pem)


@given(cut=st.integers(0, 400), bent=st.binary(min_size=1, max_size=4))
def test_a_key_that_was_bent_is_one_for_its_algorithm_or_refused(cut: int, bent: bytes) -> None:
    pem = BENT[:cut] + bent + BENT[cut + len(bent) :]
    try:
        assert PrivateKey.from_pem(pem).public.algorithm in Algorithm
    except KeyFormatError:
        return


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_each_algorithm_signs_what_it_verifies_and_nothing_else(algorithm: Algorithm) -> None:
    made = PrivateKey.generate(algorithm)
    again = PrivateKey.from_pem(made.to_pem(), rsa=algorithm)
    assert (again.public.kid, again.public.algorithm) == (made.public.kid, algorithm)
    signature = again.signature(b"content")
    assert made.public.verifies(signature, b"content")
    assert not made.public.verifies(signature, b"another content")
    assert not made.public.verifies(signature[:-1], b"content")
    assert not made.public.verifies(b"", b"content")


def test_a_signature_by_an_elliptic_curve_is_two_numbers_of_one_length() -> None:
    """RFC 7518 §3.4: ASN.1 would be longer, and its length vary."""
    made = PrivateKey.generate(Algorithm.ES256)
    assert {len(made.signature(bytes([number]))) for number in range(50)} == {64}
    signature = made.signature(b"content")
    # The same numbers with a leading zero more: a second spelling of one token.
    assert not made.public.verifies(signature[:32] + b"\0" + signature[32:], b"content")


def test_a_private_key_shows_up_nowhere(key: PrivateKey) -> None:
    private = rsa_numbers(key)
    shown = repr(key) + str(key) + repr(key.__dict__)
    assert str(private) not in shown
    assert "PRIVATE" not in shown


def rsa_numbers(key: PrivateKey) -> int:
    raw = serialization.load_pem_private_key(key.to_pem(), password=None)
    assert isinstance(raw, rsa.RSAPrivateKey)
    return raw.private_numbers().d


@pytest.mark.parametrize("name", ["rfc7515-a2", "rfc7515-a3", "rfc8037-a4"])
def test_the_rfcs_own_signatures_are_accepted_and_changed_ones_are_not(name: str) -> None:
    """RFC 7515 appendices A.2 and A.3, RFC 8037 appendix A.4."""
    vector = vectors.load(name)
    public = jwk.read({**vector["jwk"], "kid": "example"})
    signing_input, _, encoded = vector["jws"].rpartition(".")
    assert public.verifies(decoded(encoded), signing_input.encode())
    assert not public.verifies(decoded(encoded), signing_input.encode() + b"x")


def test_the_rfcs_thumbprint_of_an_octet_key_pair() -> None:
    """RFC 8037 appendix A.3."""
    vector = vectors.load("rfc8037-a4")
    raw = Ed25519PublicKey.from_public_bytes(decoded(vector["jwk"]["x"]))
    assert PublicKey(raw).kid == vector["thumbprint"]
