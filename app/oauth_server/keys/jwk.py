"""Public keys that clients register, as JWKs (RFC 7517 §4), read strictly."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from oauth_server.keys.algorithms import KeyFormatError, RawPublicKey
from oauth_server.keys.jose import PublicKey
from oauth_server.models import Algorithm
from oauth_server.protocol import base64url

_COMMON = {"kty", "kid", "alg", "use", "key_ops"}
_MEMBERS = {"RSA": {"n", "e"}, "EC": {"crv", "x", "y"}, "OKP": {"crv", "x"}}
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
_ALGORITHMS = {
    "RSA": (Algorithm.RS256, Algorithm.PS256),
    "EC": (Algorithm.ES256,),
    "OKP": (Algorithm.EDDSA,),
}
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}
_MAX_EXPONENT = 1 << 32
_MAX_KID = 256


def read(jwk: Mapping[str, object]) -> PublicKey:
    """Raises KeyFormatError, which repeats nothing of the key."""
    if jwk.keys() & _PRIVATE:
        raise KeyFormatError("has private members: register the public key alone")
    kty = jwk.get("kty")
    if not isinstance(kty, str) or kty not in _MEMBERS:
        raise KeyFormatError("kty must be RSA, EC or OKP")
    if not jwk.keys() <= _COMMON | _MEMBERS[kty]:
        raise KeyFormatError("has a member that is not known for its kty")
    if jwk.get("use", "sig") != "sig" or jwk.get("key_ops", ["verify"]) != ["verify"]:
        raise KeyFormatError("must be for verifying signatures")
    if kty in _CURVES and jwk.get("crv") != _CURVES[kty]:
        raise KeyFormatError(f"crv must be {_CURVES[kty]}")
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID or not kid.isprintable():
        raise KeyFormatError(f"kid must be 1 to {_MAX_KID} printable characters")
    try:
        key = _key(kty, {name: _octets(jwk, name) for name in _MEMBERS[kty] - {"crv"}})
    except ValueError:
        raise KeyFormatError("does not make a key") from None
    return PublicKey(key, _algorithm(kty, jwk), kid)


def _algorithm(kty: str, jwk: Mapping[str, object]) -> Algorithm:
    possible = _ALGORITHMS[kty]
    named = jwk.get("alg", possible[0].value)
    for algorithm in possible:
        if algorithm.value == named:
            return algorithm
    raise KeyFormatError(f"alg must be {' or '.join(item.value for item in possible)}")


def _octets(jwk: Mapping[str, object], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise KeyFormatError(f"{name} is missing, or is not text")
    return base64url.decode(value)


def _key(kty: str, members: Mapping[str, bytes]) -> RawPublicKey:
    """Raises ValueError."""
    if kty == "OKP":
        return Ed25519PublicKey.from_public_bytes(members["x"])
    numbers = {name: int.from_bytes(octets, "big") for name, octets in members.items()}
    if kty == "EC":  # fails for a point that is not on the curve (RFC 8725 §3.4)
        return ec.EllipticCurvePublicNumbers(
            numbers["x"], numbers["y"], ec.SECP256R1()
        ).public_key()
    if numbers["e"] > _MAX_EXPONENT:  # makes a verification as dear as a signature
        raise ValueError
    return rsa.RSAPublicNumbers(numbers["e"], numbers["n"]).public_key()
