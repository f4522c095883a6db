"""Progress for a person who waits: headings and lines with the seconds since the start."""

import sys
import time

_STARTED = time.monotonic()


def elapsed() -> float:
    return time.monotonic() - _STARTED


def heading(text: str) -> None:
    """Announce a step."""
    _write(f"\n[{elapsed():5.1f} s] {text}")


def note(text: str) -> None:
    """Report progress inside of a step."""
    _write(f"[{elapsed():5.1f} s]   {text}")


def _write(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
