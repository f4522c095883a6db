"""Keys that are made on a token and stay there; those in files are opened until they are over."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from oauth_server import files
from oauth_server.errors import OperatorError
from oauth_server.keys import disk
from oauth_server.keys.jose import KeyFormatError, PublicKey
from oauth_server.keys.layout import MODES, PUBLIC, TOKEN_URI
from oauth_server.keys.pkcs11 import failures, process, uri
from oauth_server.keys.pkcs11.failures import TokenError
from oauth_server.keys.pkcs11.key import TokenKey, public_key
from oauth_server.keys.pkcs11.process import TRIAL, Access
from oauth_server.keys.pkcs11.refusal import Refusal
from oauth_server.keys.pkcs11.uri import KeyUri, UriError
from oauth_server.keys.source import ActiveKey, FileKeys
from oauth_server.models import Algorithm

_ID_BYTES = 16
_GENERATION = timedelta(minutes=10)  # of an RSA key, in a chip
_ANSWER = timedelta(seconds=30)


class TokenKeys:
    """Keys in `pkcs11.uri`, which is there before its key is: so none is made and forgotten."""

    def __init__(self, access: Access, directory: Path) -> None:
        """`directory` is the keys directory."""
        self._access = access
        self._files = FileKeys()
        self._refusal = Refusal(directory)

    def prepare(self) -> None:
        self._access.pin.keep()

    def generate(self, algorithm: Algorithm, staging: Path) -> PublicKey:
        named = KeyUri(self._access.token, secrets.token_bytes(_ID_BYTES))
        disk.write_new(staging / TOKEN_URI, f"{named}\n".encode(), MODES[TOKEN_URI])
        disk.sync(staging)
        said = self._ask("generate", named, algorithm, _GENERATION)
        try:
            return public_key(said, algorithm)
        except KeyFormatError as error:
            raise self._problem(str(error)) from None

    def holds(self, entry: Path) -> bool:
        return os.path.lexists(entry / TOKEN_URI)

    def in_memory(self, entry: Path) -> bool:
        return not self.holds(entry)

    def open(self, entry: Path, public: PublicKey) -> ActiveKey:
        if not self.holds(entry):
            return self._files.open(entry, public)
        return TokenKey(public, self._read(entry / TOKEN_URI), self._access)

    def prove(self, entry: Path, public: PublicKey) -> None:
        if not self.holds(entry):
            return self._files.prove(entry, public)
        named = self._read(entry / TOKEN_URI)
        trial = self._ask("sign", named, public.algorithm, _ANSWER)["trial"]
        if not public.verifies(bytes.fromhex(trial), TRIAL):
            raise OperatorError(
                f"{entry / TOKEN_URI}: the token's key is not the one of {entry / PUBLIC}"
            )
        return None

    def destroy(self, entry: Path) -> None:
        path = entry / TOKEN_URI
        if os.path.lexists(path):
            # On the token first: as long as the name is there, the next run comes back for it.
            self._ask("destroy", self._read(path), Algorithm.RS256, _ANSWER)
            disk.remove_file(path)
        self._files.destroy(entry)

    def _read(self, path: Path) -> KeyUri:
        try:
            found = uri.parse(files.read_text(path).rstrip("\n"))
        except UriError as error:
            raise OperatorError(f"{path}: {error}") from None
        if found.token != self._access.token:
            raise OperatorError(
                f"{path}: is on the token {found.token!r}, "
                f"and signing.pkcs11.token is {self._access.token!r}"
            )
        return found

    def _ask(
        self, name: str, named: KeyUri, algorithm: Algorithm, within: timedelta
    ) -> Mapping[str, str]:
        pin = self._access.pin.read()
        if self._refusal.concerns(pin):
            raise self._problem(
                "refused this PIN before; it is tried again when there is another one "
                f"in its file, or when {self._refusal.path} is removed"
            )
        try:
            said = process.ask(self._access, name, named.key_id, algorithm.value, pin, within)
        except TokenError as error:
            if error.reason == failures.PIN_REFUSED:
                self._refusal.note(pin)
            raise self._problem(str(error)) from None
        self._refusal.forget()
        return said

    def _problem(self, what: str) -> OperatorError:
        return OperatorError(f"signing.pkcs11: token {self._access.token}: {what}")
