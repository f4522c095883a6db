"""A key on a token as the ring has it: its public half, and where the private one is."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from oauth_server.keys.algorithms import KeyFormatError, RawPublicKey
from oauth_server.keys.jose import PublicKey, SigningInput
from oauth_server.keys.pkcs11.process import Access
from oauth_server.keys.pkcs11.uri import KeyUri
from oauth_server.models import Algorithm

_OCTET_STRING = 0x04
_POINT_LENGTHS = {Algorithm.ES256: 65, Algorithm.EDDSA: 32}


class TokenKey:
    """Signs nothing itself: a TokenSigner does, with this key's id."""

    def __init__(self, public: PublicKey, uri: KeyUri, access: Access) -> None:
        self.public = public
        self.uri = uri
        self.access = access
        self.signing_input = SigningInput(public)


def public_key(said: Mapping[str, str], algorithm: Algorithm) -> PublicKey:
    """From what a token tells of it. Raises KeyFormatError."""
    try:
        return PublicKey(
            _raw({name: bytes.fromhex(v) for name, v in said.items()}, algorithm), algorithm
        )
    except (KeyError, ValueError, UnsupportedAlgorithm):
        raise KeyFormatError("is not a key of that kind on the token") from None


def _raw(said: Mapping[str, bytes], algorithm: Algorithm) -> RawPublicKey:
    if algorithm in {Algorithm.RS256, Algorithm.PS256}:
        modulus, exponent = (int.from_bytes(said[name], "big") for name in ("modulus", "exponent"))
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    point, length = said["point"], _POINT_LENGTHS[algorithm]
    # PKCS #11 v3.0 §2.3.5: in an OCTET STRING; some give it bare.
    if len(point) == length + 2 and point[0] == _OCTET_STRING and point[1] == length:
        point = point[2:]
    if algorithm is Algorithm.ES256:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    return Ed25519PublicKey.from_public_bytes(point)
