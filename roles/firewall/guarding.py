"""How what could cut SSH is run."""

from __future__ import annotations

from pyinfra.api import QuoteString, StringCommand


def guarded(what: str, save: str, *commands: str) -> StringCommand:
    """One command of the shell; `what` it does, and `save`, which prints what undoes it, are for
    whoever watches over it."""
    del what, save
    return StringCommand("sh", "-c", QuoteString("\n".join(["set -e", *commands, ""])))
