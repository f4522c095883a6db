"""A host's identity: an Ed25519 key that signs what the host announces, and nothing else.

It is made on its host and never leaves it. Deploys pin its public half on the others, so that
neither the store nor a signing key can speak for the host.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from oauth_server import files
from oauth_server.errors import OperatorError
from oauth_server.keys import disk, jwk
from oauth_server.keys.algorithms import KeyFormatError
from oauth_server.keys.jose import PrivateKey, PublicKey
from oauth_server.models import Algorithm

PRIVATE = "identity.pem"
PUBLIC = "identity.pub.pem"

_PRIVATE_MODE, _PUBLIC_MODE = 0o600, 0o644


def establish(directory: Path) -> PrivateKey:
    """The identity in a keys directory, made if there is none. Raises OperatorError."""
    with disk.locked(directory):
        path = directory / PRIVATE
        if not os.path.lexists(path):
            made = PrivateKey.generate(Algorithm.EDDSA)
            disk.write(path, made.to_pem(), _PRIVATE_MODE)
        elif path.is_file() and stat.S_IMODE(path.lstat().st_mode) != _PRIVATE_MODE:
            path.chmod(_PRIVATE_MODE)
        identity = load(directory)
        public = directory / PUBLIC
        pem = identity.public.to_pem()
        if not public.is_file() or public.read_bytes() != pem:
            disk.write(public, pem, _PUBLIC_MODE)
        return identity


def load(directory: Path) -> PrivateKey:
    """Raises OperatorError."""
    path = directory / PRIVATE
    pem, mode = files.read(path, through_link=False)
    if mode & 0o077:
        raise OperatorError(
            f"{path}: others than its owner can read or change it (mode {mode:04o}, must be 0600)"
        )
    try:
        key = PrivateKey.from_pem(pem)
    except KeyFormatError as error:
        raise OperatorError(f"{path}: {error}") from None
    if key.public.algorithm is not Algorithm.EDDSA:
        raise OperatorError(f"{path}: is not an Ed25519 key")
    return key


def text(public: PublicKey) -> str:
    """The public half as fleet.json has it: RFC 8037 §2's `x`."""
    return public.to_jwk()["x"]


def public_key(encoded: str) -> PublicKey:
    """Of the public half's text. Raises KeyFormatError."""
    return jwk.read({"kty": "OKP", "crv": "Ed25519", "kid": "identity", "x": encoded})
