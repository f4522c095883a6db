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
from oauth_server.keys.pkcs11.key import TokenKey
from oauth_server.keys.signer import KeyPair
from oauth_server.models import Algorithm

ActiveKey = KeyPair | TokenKey
"""What signs: a pair from files, or a key that a token has."""


class KeySource(Protocol):
    """Of one ring; an entry is a key's directory, and says by its files what holds the key."""

    def prepare(self) -> None:
        """Read what root alone may, before a command becomes the owner."""

    def generate(self, algorithm: Algorithm, staging: Path) -> PublicKey:
        """Make a key, and write private.pem or pkcs11.uri into `staging`. Raises OperatorError."""

    def holds(self, entry: Path) -> bool:
        """Whether the private half is where new ones are made."""

    def in_memory(self, entry: Path) -> bool:
        """Whether a server that opened it signs on when the private half is destroyed."""

    def open(self, entry: Path, public: PublicKey) -> ActiveKey:
        """What signs; a token is not asked for it. Raises OperatorError."""

    def prove(self, entry: Path, public: PublicKey) -> None:
        """Raises OperatorError if the public half's private one is not there, or does not sign."""

    def destroy(self, entry: Path) -> None:
        """Destroy the private half, if there is one. Raises OperatorError if it cannot now."""


def has_private(entry: Path) -> bool:
    """Whether the entry can sign."""
    return any(os.path.lexists(entry / name) for name in (PRIVATE, TOKEN_URI))


class FileKeys:
    """Keys in `private.pem`."""

    def prepare(self) -> None: ...

    def generate(self, algorithm: Algorithm, staging: Path) -> PublicKey:
        key = PrivateKey.generate(algorithm)
        disk.write_new(staging / PRIVATE, key.to_pem(), MODES[PRIVATE])
        return key.public

    def holds(self, entry: Path) -> bool:
        return os.path.lexists(entry / PRIVATE)

    def in_memory(self, entry: Path) -> bool:  # noqa: ARG002 - as of any
        return True

    def open(self, entry: Path, public: PublicKey) -> PrivateKey:
        _check_no_token(entry)
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

    def prove(self, entry: Path, public: PublicKey) -> None:
        self.open(entry, public)

    def destroy(self, entry: Path) -> None:
        _check_no_token(entry)
        path = entry / PRIVATE
        if os.path.lexists(path):
            disk.remove_file(path)


def _check_no_token(entry: Path) -> None:
    if os.path.lexists(entry / TOKEN_URI):
        raise OperatorError(
            f"{entry / TOKEN_URI}: the key is on a PKCS#11 token, and the settings name none "
            "(signing.pkcs11)"
        )
