"""Where the PIN of a token is read: from systemd's credential, or from its file."""

from __future__ import annotations

import os
from pathlib import Path

from oauth_server import files
from oauth_server.errors import OperatorError

CREDENTIAL = "pkcs11-pin"
"""As LoadCredential= names it. Its file is for root alone, and so is `pin_file`, as a rule."""


class Pin:
    """Read whenever it is needed, as it may have changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: str | OperatorError | None = None

    def keep(self) -> None:
        """Read it now: a command that root runs becomes the keys' owner, who may not later."""
        try:
            self._kept = self._on_disk()
        except OperatorError as error:
            self._kept = error  # for who asks for it: not every command does

    def read(self) -> str:
        """Raises OperatorError."""
        if isinstance(self._kept, OperatorError):
            raise self._kept
        return self._kept or self._on_disk()

    def _on_disk(self) -> str:
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        path = Path(credentials, CREDENTIAL) if credentials else self._path
        pin = files.read_text(path if path.exists() else self._path).rstrip("\r\n")
        if not pin:
            raise OperatorError(f"{path}: has no PIN")
        return pin
