"""Public halves as tokens tell of them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from oauth_server.keys.jose import KeyFormatError, PublicKey
from oauth_server.keys.pkcs11.key import public_key
from oauth_server.models import Algorithm

P256 = ec.generate_private_key(ec.SECP256R1()).public_key()
POINT = P256.public_bytes(
    serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
)  # fmt: skip
ED25519 = Ed25519PrivateKey.generate().public_key()


@pytest.mark.parametrize("wrapping", [b"", b"\x04\x41"], ids=["bare", "octet-string"])
def test_a_point_of_p256_is_read_in_both_ways(wrapping: bytes) -> None:
    found = public_key({"point": (wrapping + POINT).hex()}, Algorithm.ES256)
    assert found.kid == PublicKey(P256).kid


@pytest.mark.parametrize("wrapping", [b"", b"\x04\x20"], ids=["bare", "octet-string"])
def test_an_ed25519_key_is_read_in_both_ways(wrapping: bytes) -> None:
    said = {"point": (wrapping + ED25519.public_bytes_raw()).hex()}
    assert public_key(said, Algorithm.EDDSA).kid == PublicKey(ED25519).kid


def test_an_rsa_key_is_for_the_algorithm_that_was_asked_for() -> None:
    numbers = rsa.generate_private_key(65537, 2048).public_key().public_numbers()
    said = {"modulus": f"{numbers.n:x}", "exponent": "010001"}
    assert public_key(said, Algorithm.PS256).algorithm is Algorithm.PS256


@pytest.mark.parametrize(
    ("said", "algorithm"),
    [
        ({"point": POINT[:-1].hex()}, Algorithm.ES256),
        ({"point": (b"\x04\x41" + POINT[:-1] + bytes([POINT[-1] ^ 1])).hex()}, Algorithm.ES256),
        ({"point": POINT.hex()}, Algorithm.RS256),
        ({"modulus": "c0ffee", "exponent": "010001"}, Algorithm.RS256),
        ({"point": "zz"}, Algorithm.EDDSA),
    ],
)
def test_what_is_no_such_key_is_refused(said: dict[str, str], algorithm: Algorithm) -> None:
    with pytest.raises(KeyFormatError):
        public_key(said, algorithm)
