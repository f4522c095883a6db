"""A token of SoftHSM's in a directory of its own: Debian's package, no daemon, no device."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from oauth_server.keys.pkcs11 import process
from oauth_server.keys.pkcs11.key import TokenKey, public_key
from oauth_server.keys.pkcs11.pin import Pin
from oauth_server.keys.pkcs11.process import Access
from oauth_server.keys.pkcs11.uri import KeyUri
from oauth_server.models import Algorithm

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
LABEL = "Keys of tests; 100 %"
PIN = "4711-pin-of-tests"
WITHIN = timedelta(seconds=60)


@dataclass(frozen=True)
class SoftHsm:
    """`configuration` is what SOFTHSM2_CONF must name wherever the token is used."""

    directory: Path
    configuration: Path
    pin_file: Path
    access: Access = field(repr=False)

    @classmethod
    def make(cls, directory: Path, *, mechanisms: str = "ALL") -> SoftHsm:
        directory.mkdir()
        tokens, configuration = directory / "tokens", directory / "softhsm2.conf"
        tokens.mkdir()
        configuration.write_text(
            f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
            f"slots.mechanisms = {mechanisms}\n"
        )
        pin_file = directory / "pin"
        pin_file.write_text(f"{PIN}\n")
        self = cls(
            directory,
            configuration,
            pin_file,
            Access(MODULE, LABEL, Pin(pin_file)),
        )
        self.tool("--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", PIN)
        return self

    @property
    def environment(self) -> dict[str, str]:
        return {"SOFTHSM2_CONF": str(self.configuration)}

    @property
    def settings(self) -> dict[str, object]:
        """What server.yaml says of it."""
        return {
            "module": MODULE, "token": LABEL, "pin_file": str(self.pin_file),
            "environment": self.environment,
        }  # fmt: skip

    def tool(self, *arguments: str) -> str:
        return subprocess.run(
            ["softhsm2-util", *arguments], env={**os.environ, **self.environment},
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    def make_key(self, algorithm: Algorithm) -> TokenKey:
        key_id = secrets.token_bytes(16)
        said = process.ask(self.access, "generate", key_id, algorithm.value, PIN, WITHIN)
        return TokenKey(public_key(said, algorithm), KeyUri(LABEL, key_id), self.access)

    def objects(self) -> int:
        """How many there are on the token."""
        return sum(path.name != "token.object" for path in self.directory.glob("tokens/*/*.object"))

    @contextmanager
    def away(self) -> Iterator[None]:
        """As if it had been pulled out."""
        tokens = self.directory / "tokens"
        tokens.rename(self.directory / "elsewhere")
        tokens.mkdir()
        try:
            yield
        finally:
            tokens.rmdir()
            (self.directory / "elsewhere").rename(tokens)
