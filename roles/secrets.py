"""Secrets by reference: an inventory names where one lies, and it is read on this machine."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pyinfra.api import HiddenValue

from roles.errors import DeployError


class SecretError(DeployError):
    """A secret could not be read; the message names the source, never the value."""


def _path(path: Path) -> Path:
    try:
        _word(str(path))
        expanded = path.expanduser()
    except ValueError:
        raise ValueError("must be a path without NUL or broken characters") from None
    except RuntimeError:
        raise ValueError("must begin with the ~ of a user of this machine, or none") from None
    if expanded == Path():
        raise ValueError("must be a path, neither empty nor the working directory itself")
    return expanded


def _word(value: str) -> str:
    """What the system takes as an argument or a name; it ends either at a NUL."""
    try:
        if b"\0" not in os.fsencode(value):
            return value
    except UnicodeEncodeError:
        pass
    raise ValueError("must be text without NUL or broken characters")


def _variable(value: str) -> str:
    if not value or "=" in value:
        raise ValueError("must be a variable's name: not empty, and without an equals sign")
    return value


def _program(command: tuple[str, ...]) -> tuple[str, ...]:
    if not command[0]:
        raise ValueError("must begin with a program's name")
    return command


# `~` is followed; whether anything lies there is seen when it is read.
LocalPath = Annotated[Path, Field(strict=False), AfterValidator(_path)]
_Word = Annotated[str, AfterValidator(_word)]


class Source(BaseModel):
    """Where a secret lies: exactly one of an environment variable, a file, or a command.

    A command is a list of arguments, such as `["sops", "decrypt", "tls.key"]` or
    `["pass", "show", "tls"]`; its standard output is the secret.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    env: Annotated[_Word, AfterValidator(_variable)] | None = None
    file: LocalPath | None = None
    command: Annotated[tuple[_Word, ...], Field(min_length=1), AfterValidator(_program)] | None = (
        None
    )

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

    def read(self, wanted: str = "") -> HiddenValue:
        """The secret without its last newline; `wanted` is the key that names this source.

        Raises SecretError, with `wanted` before the reason, when it cannot be had or is empty.
        """
        try:
            return _read(self)
        except SecretError as error:
            raise SecretError(f"{wanted}: {error}" if wanted else str(error)) from None


@cache
def _read(source: Source) -> HiddenValue:
    """Read once a run: a password manager that asks for a passphrase asks once, not per host."""
    text = _text(source).removesuffix("\n")
    if not text:
        raise SecretError(f"{source} is empty")
    try:
        text.encode()
    except UnicodeEncodeError:  # how Python keeps the other bytes of an environment variable
        raise SecretError(f"{source} cannot be used: it is not UTF-8 text") from None
    return HiddenValue(text)


def _text(source: Source) -> str:
    if source.env is not None:
        return os.environ.get(source.env, "")
    if source.file is not None:
        try:
            return source.file.read_text()
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
