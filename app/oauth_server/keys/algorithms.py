"""The signature algorithms of RFC 7518 §3 and RFC 8037 §3.1 that are used here, and their keys."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from oauth_server.models import Algorithm

RawPrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
RawPublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

_GENERATED_BITS = 4096
_MIN_BITS, _MAX_BITS = 2048, 8192  # RFC 7518 §3.3; past that a verification is an attack
_COORDINATE = 32
_SHA256 = hashes.SHA256()
_PKCS1 = padding.PKCS1v15()
_ECDSA = ec.ECDSA(_SHA256)
_PSS = padding.PSS(padding.MGF1(_SHA256), salt_length=_SHA256.digest_size)  # RFC 7518 §3.5


class KeyFormatError(Exception):
    """Not the kind of key that it should be."""


def check(algorithm: Algorithm, key: object) -> RawPublicKey:
    """The public key, if it is one for this algorithm. Raises KeyFormatError."""
    match algorithm, key:
        case ((Algorithm.RS256 | Algorithm.PS256), RSAPublicKey()):
            if key.key_size < _MIN_BITS:
                raise KeyFormatError(f"has an RSA key under {_MIN_BITS} bits (RFC 7518 §3.3)")
            if key.key_size > _MAX_BITS:
                raise KeyFormatError(f"has an RSA key over {_MAX_BITS} bits")
            return key
        case Algorithm.ES256, EllipticCurvePublicKey(curve=ec.SECP256R1()):
            return key
        case Algorithm.EDDSA, Ed25519PublicKey():
            return key
    kinds = {Algorithm.ES256: "a P-256 key", Algorithm.EDDSA: "an Ed25519 key"}
    raise KeyFormatError(f"is not {kinds.get(algorithm, 'an RSA key')}")


def natural(key: object, rsa_algorithm: Algorithm = Algorithm.RS256) -> Algorithm:
    """The algorithm that a key is for; an RSA key alone leaves a choice."""
    match key:
        case EllipticCurvePublicKey() | EllipticCurvePrivateKey():
            return Algorithm.ES256
        case Ed25519PublicKey() | Ed25519PrivateKey():
            return Algorithm.EDDSA
    return rsa_algorithm


def generate(algorithm: Algorithm) -> RawPrivateKey:
    match algorithm:
        case Algorithm.RS256 | Algorithm.PS256:
            return rsa.generate_private_key(public_exponent=65537, key_size=_GENERATED_BITS)
        case Algorithm.ES256:
            return ec.generate_private_key(ec.SECP256R1())
        case Algorithm.EDDSA:
            return Ed25519PrivateKey.generate()


def signing(algorithm: Algorithm, key: RawPrivateKey) -> Callable[[bytes], bytes]:
    """What makes signatures with this key; other threads run meanwhile."""
    match key:
        case RSAPrivateKey():
            scheme = _PSS if algorithm is Algorithm.PS256 else _PKCS1
            return lambda content: key.sign(content, scheme, _SHA256)
        case EllipticCurvePrivateKey():
            return lambda content: _two_numbers(key.sign(content, _ECDSA))
    return key.sign


def _two_numbers(signature: bytes) -> bytes:
    """RFC 7518 §3.4: not ASN.1."""
    r, s = decode_dss_signature(signature)
    return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")


def verifies(algorithm: Algorithm, key: RawPublicKey, signature: bytes, content: bytes) -> bool:
    """Whether this is the key's signature of the content, by this algorithm."""
    try:
        match key:
            case RSAPublicKey() if algorithm is Algorithm.PS256:
                key.verify(signature, content, _PSS, _SHA256)
            case RSAPublicKey():
                key.verify(signature, content, _PKCS1, _SHA256)
            case EllipticCurvePublicKey():
                if len(signature) != 2 * _COORDINATE:
                    return False
                r, s = signature[:_COORDINATE], signature[_COORDINATE:]
                encoded = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
                key.verify(encoded, content, _ECDSA)
            case _:
                key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
