"""What chrony says of the host's clock: tokens are as right as that is (RFC 7519 §4.1.4).

The server may not speak to chronyd, whose socket can set the clock as well. A unit of its own,
oauth-clock.service, writes down what `chronyc -c tracking` says; here it is read.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

from oauth_server import files
from oauth_server.errors import OperatorError

_FRESH = 60.0
"""Seconds; the unit writes every ten."""

_UNSYNCHRONISED = "Not synchronised"
_COLUMNS = 14


@dataclass(frozen=True)
class Clock:
    """Seconds; `offset` is positive where the clock is ahead, `error` bounds how wrong it can be.

    `updated` is when a source was last heard and followed, in seconds since 1970.
    """

    synchronised: bool
    offset: float
    error: float
    updated: float


def read(report: Path) -> Clock | None:
    """None where there is no report, or an old one: nobody knows then."""
    try:
        written = report.stat().st_mtime
        line = files.read_text(report)
    except (OSError, OperatorError):
        return None
    return parse(line) if time.time() - written <= _FRESH else None


def parse(line: str) -> Clock | None:
    """Of chronyc(1)'s comma-separated `tracking`; None for what is no such line."""
    columns = line.strip().split(",")
    if len(columns) != _COLUMNS:
        return None
    try:
        updated, offset, delay, dispersion = (float(columns[at]) for at in (3, 4, 10, 11))
    except ValueError:
        return None
    if not all(map(math.isfinite, (updated, offset, delay, dispersion))):
        return None
    # chrony.conf(5): the clock's error is the offset, the root dispersion and half the root delay.
    error = abs(offset) + dispersion + delay / 2
    # Its sign says what the clock will be corrected by: positive is a clock that is behind.
    return Clock(columns[13] != _UNSYNCHRONISED, -offset, error, updated)
