"""RSA keys (RFC 7518 §6.3) with their thumbprints from the JOSE library, and RS256 signatures."""

from __future__ import annotations

import base64

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from joserfc.jwk import RSAKey

ALGORITHM = "RS256"
_GENERATED_BITS = 4096
_MIN_BITS = 2048  # RFC 7518 §3.3


class KeyFormatError(Exception):
    """A key file does not hold the kind of key that it should."""


class PublicKey:
    def __init__(self, key: RSAPublicKey) -> None:
        if key.key_size < _MIN_BITS:
            raise KeyFormatError(f"has an RSA key under {_MIN_BITS} bits (RFC 7518 §3.3)")
        self._key = key
        jwk = RSAKey.import_key(key)
        self.kid: str = jwk.thumbprint()
        self._members = {"n": str(jwk["n"]), "e": str(jwk["e"])}

    @classmethod
    def from_pem(cls, pem: bytes) -> PublicKey:
        """Raises KeyFormatError."""
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise KeyFormatError("is not a PEM public key") from None
        if not isinstance(key, RSAPublicKey):
            raise KeyFormatError("is not an RSA key")
        return cls(key)

    def to_pem(self) -> bytes:
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def to_jwk(self) -> dict[str, str]:
        """As in a JWK Set (RFC 7517 §4): members that are public, and no others."""
        return {
            "kty": "RSA", "kid": self.kid, "use": "sig", "alg": ALGORITHM, **self._members
        }  # fmt: skip


class PrivateKey:
    quick = False
    """Whether a signature costs less than handing it to a thread does."""

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())
        self._headers: dict[str, bytes] = {}

    @classmethod
    def generate(cls) -> PrivateKey:
        return cls(generate_private_key(public_exponent=65537, key_size=_GENERATED_BITS))

    @classmethod
    def from_pem(cls, pem: bytes) -> PrivateKey:
        """Raises KeyFormatError."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise KeyFormatError("is not an unencrypted PEM private key") from None
        if not isinstance(key, RSAPrivateKey):
            raise KeyFormatError("is not an RSA key")
        return cls(key)

    def to_pem(self) -> bytes:
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def sign(self, typ: str, claims: dict[str, object]) -> str:
        """A compact JWS (RFC 7515 §7.1) of the claims, explicitly typed (RFC 8725 §3.11)."""
        content = self.signing_input(typ, claims)
        return compact(content, self.signature(content))

    def signing_input(self, typ: str, claims: dict[str, object]) -> bytes:
        """What a signature is made of (RFC 7515 §5.1). A `typ` is one of our own, never sent."""
        header = self._headers.get(typ)
        if header is None:
            members = {"alg": ALGORITHM, "typ": typ, "kid": self.public.kid}
            header = self._headers[typ] = _encode(msgspec.json.encode(members)) + b"."
        return header + _encode(msgspec.json.encode(claims))

    def signature(self, signing_input: bytes) -> bytes:
        """Of RFC 7518 §3.3; other threads run meanwhile."""
        return self._key.sign(signing_input, padding.PKCS1v15(), hashes.SHA256())


def compact(signing_input: bytes, signature: bytes) -> str:
    """RFC 7515 §7.1."""
    return (signing_input + b"." + _encode(signature)).decode("ascii")


def _encode(content: bytes) -> bytes:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=")
