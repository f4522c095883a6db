"""Keys as JOSE has them (RFC 7517, RFC 7518 §6, RFC 8037 §2), named by their thumbprint."""

from __future__ import annotations

import hashlib

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from oauth_server.keys import algorithms
from oauth_server.keys.algorithms import KeyFormatError, RawPrivateKey, RawPublicKey
from oauth_server.models import Algorithm
from oauth_server.protocol import base64url

__all__ = ["KeyFormatError", "PrivateKey", "PublicKey", "SigningInput", "compact"]


class PublicKey:
    """A key and the one algorithm it is for (RFC 8725 §3.1).

    `kid` is what signatures name it by: the thumbprint (RFC 7638) if its owner gave it no other.
    """

    def __init__(
        self, key: RawPublicKey, algorithm: Algorithm | None = None, kid: str | None = None
    ) -> None:
        """Raises KeyFormatError."""
        self.algorithm = algorithm or algorithms.natural(key)
        self._key = algorithms.check(self.algorithm, key)
        self._members = _members(self._key)
        self.kid = kid or self.thumbprint

    @property
    def thumbprint(self) -> str:
        return _thumbprint(self._members)

    @classmethod
    def from_pem(cls, pem: bytes, rsa: Algorithm = Algorithm.RS256) -> PublicKey:
        """`rsa` is what an RSA key is for. Raises KeyFormatError."""
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise KeyFormatError("is not a PEM public key") from None
        algorithm = algorithms.natural(key, rsa)
        return cls(algorithms.check(algorithm, key), algorithm)

    def to_pem(self) -> bytes:
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER of its SubjectPublicKeyInfo, in hex: as
        `openssl pkey -pubin -outform DER | sha256sum` has it.
        """
        der = self._key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(der).hexdigest()

    def to_jwk(self) -> dict[str, str]:
        """As in a JWK Set (RFC 7517 §4): members that are public, and no others."""
        kty, *members = self._members.items()
        return {
            **dict([kty]), "kid": self.kid, "use": "sig", "alg": self.algorithm.value,
            **dict(members),
        }  # fmt: skip

    def verifies(self, signature: bytes, signing_input: bytes) -> bool:
        return algorithms.verifies(self.algorithm, self._key, signature, signing_input)


class SigningInput:
    """What a key's signatures are of (RFC 7515 §5.1). A `typ` is one of our own, never sent."""

    def __init__(self, public: PublicKey) -> None:
        self._public = public
        self._headers: dict[str, bytes] = {}

    def __call__(self, typ: str, claims: dict[str, object]) -> bytes:
        header = self._headers.get(typ)
        if header is None:
            members = {"alg": self._public.algorithm.value, "typ": typ, "kid": self._public.kid}
            header = base64url.encode_bytes(msgspec.json.encode(members)) + b"."
            self._headers[typ] = header
        return header + base64url.encode_bytes(msgspec.json.encode(claims))


class PrivateKey:
    """A key that signs. What it is made of shows up nowhere: no repr, no message, no state."""

    def __init__(self, key: RawPrivateKey, algorithm: Algorithm | None = None) -> None:
        """Raises KeyFormatError."""
        self._key = key
        self.public = PublicKey(key.public_key(), algorithm)
        self._sign = algorithms.signing(self.public.algorithm, key)
        self.quick = not isinstance(key.public_key(), RSAPublicKey)
        """Whether a signature costs less than handing it to a thread does."""
        self.signing_input = SigningInput(self.public)

    @classmethod
    def generate(cls, algorithm: Algorithm = Algorithm.RS256) -> PrivateKey:
        return cls(algorithms.generate(algorithm), algorithm)

    @classmethod
    def from_pem(cls, pem: bytes, rsa: Algorithm = Algorithm.RS256) -> PrivateKey:
        """`rsa` is what an RSA key is for. Raises KeyFormatError."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise KeyFormatError("is not an unencrypted PEM private key") from None
        if not isinstance(key, RawPrivateKey):
            raise KeyFormatError("is not an RSA, P-256 or Ed25519 key")
        return cls(key, algorithms.natural(key, rsa))

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

    def signature(self, signing_input: bytes) -> bytes:
        """Of RFC 7518 §3; other threads run meanwhile."""
        return self._sign(signing_input)


def compact(signing_input: bytes, signature: bytes) -> str:
    """RFC 7515 §7.1."""
    return (signing_input + b"." + base64url.encode_bytes(signature)).decode("ascii")


def _members(key: RawPublicKey) -> dict[str, str]:
    """The members that make the key, `kty` first."""
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    if isinstance(key, EllipticCurvePublicKey):
        point = key.public_numbers()
        # RFC 7518 §6.2.1.2: always the length of the field.
        return {"kty": "EC", "crv": "P-256", "x": _number(point.x, 32), "y": _number(point.y, 32)}
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(key.public_bytes_raw())}


def _number(value: int, length: int | None = None) -> str:
    """Base64urlUInt (RFC 7518 §2): big-endian, without leading zeros but those of a length."""
    return base64url.encode(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def _thumbprint(members: dict[str, str]) -> str:
    """RFC 7638 §3: the required members in lexicographic order, without spaces."""
    canonical = msgspec.json.encode(dict(sorted(members.items())))
    return base64url.encode(hashlib.sha256(canonical).digest())
