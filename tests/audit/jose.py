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
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey

_KINDS: Mapping[str, type] = {
    "RS256": rsa.RSAPublicKey,
    "PS256": rsa.RSAPublicKey,
    "ES256": ec.EllipticCurvePublicKey,
    "EdDSA": Ed25519PublicKey,
}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


class TokenError(ValueError):
    """A token that does not verify, and why."""


def public_key(pem: str) -> PublicKey:
    """Raises ValueError for anything but an RSA, P-256 or Ed25519 public key in PEM."""
    key = load_pem_public_key(pem.encode())
    if isinstance(key, (rsa.RSAPublicKey, Ed25519PublicKey)):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError("not an RSA, P-256 or Ed25519 key")


def strength(key: PublicKey) -> str:
    """What kind of key it is, and how long."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return "P-256" if isinstance(key, ec.EllipticCurvePublicKey) else "Ed25519"


def thumbprint(key: PublicKey) -> str:
    """RFC 7638 §3: SHA-256 over the required members in lexicographic order."""
    canonical = json.dumps(_members(key), separators=(",", ":"), sort_keys=True)
    return encode(hashlib.sha256(canonical.encode()).digest())


def jwk(key: PublicKey) -> dict[str, str]:
    """The members of a JWK that follow from the key itself, `kid` included."""
    return {**_members(key), "kid": thumbprint(key)}


def _members(key: PublicKey) -> dict[str, str]:
    """RFC 7518 §6, RFC 8037 §2."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _encode_number(numbers.n), "e": _encode_number(numbers.e)}
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_numbers()
        x, y = (encode(number.to_bytes(32, "big")) for number in (point.x, point.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    return {"kty": "OKP", "crv": "Ed25519", "x": encode(key.public_bytes_raw())}


def verify(token: str, keys: Mapping[str, PublicKey]) -> tuple[Any, Any]:
    """Header and claims of a token that one of `keys`, by kid, has signed.

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
    algorithm = header.get("alg")
    if algorithm not in _KINDS:
        raise TokenError(f"it is signed by {algorithm}, not {', '.join(_KINDS)}")
    key = keys.get(header.get("kid"))
    if key is None:
        raise TokenError(f"no key on the host has its kid {header.get('kid')}")
    if not isinstance(key, _KINDS[algorithm]):
        raise TokenError(f"the key that it names is not for {algorithm}")
    try:
        _check(algorithm, key, signature, f"{parts[0]}.{parts[1]}".encode())
    except (InvalidSignature, ValueError):
        raise TokenError("its signature is not of the key that it names") from None
    return header, claims


def _check(algorithm: str, key: PublicKey, signature: bytes, signed: bytes) -> None:
    """RFC 7518 §3.3 to §3.5, RFC 8037 §3.1. Raises InvalidSignature or ValueError."""
    if isinstance(key, rsa.RSAPublicKey):
        sha256 = hashes.SHA256()
        pss = padding.PSS(padding.MGF1(sha256), salt_length=32)
        key.verify(signature, signed, pss if algorithm == "PS256" else padding.PKCS1v15(), sha256)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if len(signature) != 64:
            raise ValueError("an ES256 signature has 64 bytes")
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
    else:
        key.verify(signature, signed)


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
