"""What a command says, on standard output and on standard error."""

from __future__ import annotations

import os
import sys

from oauth_server.errors import OperatorError


def say(text: str) -> None:
    """A line, written at once. Raises OperatorError if nobody can have it."""
    try:
        print(_printable(text, "\n"), flush=True)
    except OSError as error:
        # Python must not try again, and fail again, while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OperatorError(f"standard output: {error.strerror}") from None


def warn(problem: str) -> None:
    """A line on standard error."""
    print(f"oauth-server: {_printable(problem)}", file=sys.stderr)


def _printable(text: str, kept: str = "") -> str:
    """Names of files and words of other servers may have what a terminal takes for a command."""
    return "".join(
        char if char.isprintable() or char in kept else char.encode("unicode_escape").decode()
        for char in text
    )
