"""Verifies signatures: the key by its exact name, with the one algorithm that it is for."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import rsa

from oauth_server.keys import algorithms
from oauth_server.keys.jose import PublicKey
from oauth_server.models import Algorithm
from oauth_server.protocol.jws import Jws

_DECOY_BITS = 2048


def verifies(jws: Jws, keys: Mapping[str, PublicKey]) -> bool:
    """Whether one of the keys, by kid, signed it.

    Without such a key, or with one for another algorithm, the same work ends in False: the time
    tells nobody which keys or clients there are.
    """
    key = keys.get(jws.kid)
    if key is None or key.algorithm is not jws.algorithm:  # RFC 8725 §3.1
        _decoy(jws.algorithm).verifies(jws.signature, jws.signing_input)
        return False
    return key.verifies(jws.signature, jws.signing_input)


@functools.cache
def _decoy(algorithm: Algorithm) -> PublicKey:
    """A key that nobody has."""
    if algorithm in {Algorithm.RS256, Algorithm.PS256}:
        # To verify costs the same with a modulus whose factors nobody knows.
        modulus = secrets.randbits(_DECOY_BITS) | 1 << (_DECOY_BITS - 1) | 1
        return PublicKey(rsa.RSAPublicNumbers(65537, modulus).public_key(), algorithm)
    return PublicKey(algorithms.generate(algorithm).public_key(), algorithm)
