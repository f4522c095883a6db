"""The only use of the JOSE library: RSA keys (RFC 7518 §6.3), thumbprints, RS256 signatures."""

from __future__ import annotations

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from joserfc import jws
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
    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())
        self._jwk = RSAKey.import_key(key)

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
        header = {"alg": ALGORITHM, "typ": typ, "kid": self.public.kid}
        return jws.serialize_compact(
            header, msgspec.json.encode(claims), self._jwk, algorithms=[ALGORITHM]
        )
