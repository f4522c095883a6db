"""JSON Web Signatures in compact form (RFC 7515 §7.1), read as strictly as RFC 8725 advises.

Nothing is verified here; a key is not even chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oauth_server.models import Algorithm
from oauth_server.protocol import base64url, strict_json

MAX_LENGTH = 8 * 1024
# Whatever else a header could have makes a verifier take a key from the sender (jwk, jku, x5c, x5u:
# RFC 8725 §3.10), read the payload differently (b64, zip, cty) or owe understanding (crit).
_KNOWN = {"alg", "kid", "typ"}
_MAX_NAME = 256
_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}


class JwsError(Exception):
    """Not a JWS that could be one of ours; the message says why and repeats nothing of it."""


@dataclass(frozen=True)
class Jws:
    """A JWS as it was sent: claims that nobody has proved yet."""

    algorithm: Algorithm
    kid: str
    typ: str | None
    claims: Mapping[str, object] = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def parse(text: str, max_length: int = MAX_LENGTH) -> Jws:
    """Raises JwsError, and nothing else."""
    if len(text) > max_length:
        raise JwsError("is too long")
    if not text.isascii():
        raise JwsError("is not ASCII")
    parts = text.split(".")
    if len(parts) != 3:
        raise JwsError("does not have three parts")
    try:
        header, claims = (strict_json.parse_object(base64url.decode(part)) for part in parts[:2])
        signature = base64url.decode(parts[2])
    except ValueError:
        raise JwsError("is not base64url of JSON objects") from None
    if not header.keys() <= _KNOWN:
        raise JwsError("has a header member that is not known")
    return Jws(
        algorithm=_algorithm(header.get("alg")),
        kid=_name(header, "kid"),
        typ=_name(header, "typ") if "typ" in header else None,
        claims=claims,
        signing_input=text.rpartition(".")[0].encode("ascii"),
        signature=signature,
    )


def _algorithm(value: object) -> Algorithm:
    """RFC 7515 §4.1.1: case-sensitive; `none` is not among them, in no spelling."""
    algorithm = _ALGORITHMS.get(value) if isinstance(value, str) else None
    if algorithm is None:
        raise JwsError("has an algorithm that is not known")
    return algorithm


def _name(header: Mapping[str, object], member: str) -> str:
    value = header.get(member)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME:
        raise JwsError(f"has no {member}, or one that is no name")
    return value
