"""Secrets by reference: an inventory names where one lies, and it is read on this machine."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pyinfra.api import HiddenValue

from roles.errors import DeployError


class SecretError(DeployError):
    """A secret could not be read; the message names the source, never the value."""


class Source(BaseModel):
    """Where a secret lies: exactly one of an environment variable, a file, or a command.

    A command is a list of arguments, such as `["sops", "decrypt", "tls.key"]` or
    `["pass", "show", "tls"]`; its standard output is the secret.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    env: str | None = None
    file: Path | None = None
    command: tuple[str, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _names_one_place(self) -> Source:
        if sum(place is not None for place in (self.env, self.file, self.command)) != 1:
            raise ValueError("name exactly one of env, file and command")
        return self

    def __str__(self) -> str:
        if self.env is not None:
            return f"environment variable {self.env}"
        if self.file is not None:
            return f"file {self.file}"
        return f"command {(self.command or ('?',))[0]}"

    def read(self) -> HiddenValue:
        """The secret without its last newline.

        Raises SecretError when it cannot be had or is empty.
        """
        return _read(self)


@cache
def _read(source: Source) -> HiddenValue:
    """Read once a run: a password manager that asks for a passphrase asks once, not per host."""
    text = _text(source).removesuffix("\n")
    if not text:
        raise SecretError(f"{source} is empty")
    return HiddenValue(text)


def _text(source: Source) -> str:
    if source.env is not None:
        return os.environ.get(source.env, "")
    if source.file is not None:
        try:
            return source.file.expanduser().read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(f"{source} cannot be read: {_reason(error)}") from None
    return _output(source, source.command or ())


def _output(source: Source, command: tuple[str, ...]) -> str:
    try:
        # Standard error stays the terminal's: password managers talk to their user there.
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    except subprocess.CalledProcessError as error:
        raise SecretError(f"{source} failed with exit code {error.returncode}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"{source} cannot be run: {_reason(error)}") from None
    return result.stdout


def _reason(error: Exception) -> str:
    return error.strerror or "?" if isinstance(error, OSError) else "it is not UTF-8 text"
