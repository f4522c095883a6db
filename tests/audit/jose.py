"""Tokens and keys, verified by nothing but cryptography: the audit shares no code with the server.

RFC 7515 (JWS), 7517 (JWK), 7638 (thumbprints).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


class TokenError(ValueError):
    """A token that does not verify, and why."""


def public_key(pem: str) -> rsa.RSAPublicKey:
    """Raises ValueError for anything but an RSA public key in PEM."""
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA key")
    return key


def thumbprint(key: rsa.RSAPublicKey) -> str:
    """RFC 7638 §3: SHA-256 over the required members in lexicographic order."""
    numbers = key.public_numbers()
    members = {"e": _encode_number(numbers.e), "kty": "RSA", "n": _encode_number(numbers.n)}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
    return encode(digest)


def jwk(key: rsa.RSAPublicKey) -> dict[str, str]:
    """The members of a JWK that follow from the key itself, `kid` included."""
    numbers = key.public_numbers()
    return {
        "kty": "RSA",
        "kid": thumbprint(key),
        "n": _encode_number(numbers.n),
        "e": _encode_number(numbers.e),
    }


def verify(token: str, keys: Mapping[str, rsa.RSAPublicKey]) -> tuple[Any, Any]:
    """Header and claims of an RS256 token that one of `keys`, by kid, has signed.

    Raises TokenError.
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise TokenError("it has not three parts")
    try:
        header, claims = (json.loads(decode(part)) for part in parts[:2])
        signature = decode(parts[2])
    except ValueError as error:
        raise TokenError(f"it cannot be decoded: {error}") from None
    if header.get("alg") != "RS256":
        raise TokenError(f"it is signed by {header.get('alg')}, not RS256")
    if header.get("kid") not in keys:
        raise TokenError(f"no key on the host has its kid {header.get('kid')}")
    signed = f"{parts[0]}.{parts[1]}".encode()
    try:
        keys[header["kid"]].verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise TokenError("its signature is not of the key that it names") from None
    return header, claims


def encode(value: bytes) -> str:
    """RFC 7515 §2: base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Raises ValueError for what is not exactly what `encode` makes."""
    if not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url")
    try:
        value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if encode(value) != text:
        raise ValueError("base64url with stray bits")
    return value


def _encode_number(number: int) -> str:
    """RFC 7518 §2: Base64urlUInt."""
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
