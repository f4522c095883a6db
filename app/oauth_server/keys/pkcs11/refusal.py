"""Remembers over runs that a token refused a PIN: a timer must not try it until the token locks.

What is kept is a salted digest of a PIN that is no good.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from oauth_server import files
from oauth_server.keys import disk

FILE = ".refused-pin"
_SALT_BYTES = 16


class Refusal:
    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE

    def concerns(self, pin: str) -> bool:
        """Whether this is the PIN that was refused last. Raises OperatorError."""
        if not os.path.lexists(self.path):
            return False
        salt, _, kept = files.read_text(self.path).strip().partition(":")
        return hmac.compare_digest(kept, _digest(salt, pin))

    def note(self, pin: str) -> None:
        salt = secrets.token_hex(_SALT_BYTES)
        disk.write(self.path, f"{salt}:{_digest(salt, pin)}\n".encode(), 0o600)

    def forget(self) -> None:
        if os.path.lexists(self.path):
            disk.remove_file(self.path)


def _digest(salt: str, pin: str) -> str:
    return hashlib.sha256(f"{salt}{pin}".encode()).hexdigest()
