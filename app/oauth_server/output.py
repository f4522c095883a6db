"""What a command says on standard output."""

from __future__ import annotations

import os
import sys

from oauth_server.errors import OperatorError


def say(text: str) -> None:
    """A line, written at once. Raises OperatorError if nobody can have it."""
    try:
        print(text, flush=True)
    except OSError as error:
        # Python must not try again, and fail again, while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OperatorError(f"standard output: {error.strerror}") from None
