"""Where private halves come from: files here, a PKCS#11 token elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from oauth_server import files
from oauth_server.errors import OperatorError
from oauth_server.keys import disk
from oauth_server.keys.jose import KeyFormatError, PrivateKey, PublicKey
from oauth_server.keys.layout import MODES, PRIVATE, PUBLIC, TOKEN_URI
from oauth_server.keys.signer import KeyPair
from oauth_server.models import Algorithm


class KeySource(Protocol):
    """Of one ring; an entry is a key's directory, and says by its files what holds the key."""

    def generate(self, algorithm: Algorithm, staging: Path) -> PublicKey:
        """Make a key, and write private.pem or pkcs11.uri into `staging`. Raises OperatorError."""

    def open(self, entry: Path, public: PublicKey) -> KeyPair:
        """The private half, if it is the public one's. Raises OperatorError."""

    def destroy(self, entry: Path) -> None:
        """Destroy the private half, if there is one. Raises OperatorError if it cannot now."""


def has_private(entry: Path) -> bool:
    """Whether the entry can sign."""
    return any(os.path.lexists(entry / name) for name in (PRIVATE, TOKEN_URI))


class FileKeys:
    """Keys in `private.pem`."""

    def generate(self, algorithm: Algorithm, staging: Path) -> PublicKey:
        key = PrivateKey.generate(algorithm)
        disk.write_new(staging / PRIVATE, key.to_pem(), MODES[PRIVATE])
        return key.public

    def open(self, entry: Path, public: PublicKey) -> PrivateKey:
        path = entry / PRIVATE
        pem, mode = files.read(path, through_link=False)
        if mode & 0o077:
            raise OperatorError(
                f"{path}: others than its owner can read or change it "
                f"(mode {mode:04o}, must be 0600)"
            )
        try:
            key = PrivateKey.from_pem(pem, public.algorithm)
        except KeyFormatError as error:
            raise OperatorError(f"{path}: {error}") from None
        if key.public.kid != public.kid:
            raise OperatorError(f"{path}: is not the private key of {entry / PUBLIC}")
        return key

    def destroy(self, entry: Path) -> None:
        path = entry / PRIVATE
        if os.path.lexists(path):
            disk.remove_file(path)
