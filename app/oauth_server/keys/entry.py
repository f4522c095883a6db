"""One key of the ring: its directory, its public half, and its times (times.json)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Annotated

import msgspec

from oauth_server import files
from oauth_server.errors import OperatorError
from oauth_server.keys import disk, source
from oauth_server.keys.jose import KeyFormatError, PublicKey
from oauth_server.keys.layout import ACTIVE, MODES, PRIVATE, PUBLIC, TIMES
from oauth_server.keys.timing import Timing
from oauth_server.models import Algorithm

Moment = Annotated[datetime, msgspec.Meta(tz=True)]

_FIRST, _LAST = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in (1970, 3000))
_YEAR = 31_536_000


class State(str, Enum):
    """Worked out from what is there, and stored nowhere. A removed key has no entry."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRING = "retiring"


class Times(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened to a key, and when: UTC. `longest_lifetime` is of what it signed, in seconds.

    `until` is how long it stays published at least.
    """

    algorithm: Algorithm
    created: Moment
    longest_lifetime: Annotated[int, msgspec.Meta(ge=0, le=_YEAR)]
    activated: Moment | None = None
    retired: Moment | None = None
    until: Moment | None = None

    def __post_init__(self) -> None:
        check_moments(self.created, self.activated, self.retired, self.until)


@dataclass(frozen=True)
class Entry:
    path: Path
    public: PublicKey
    times: Times
    is_active: bool
    has_private: bool

    @property
    def kid(self) -> str:
        return self.public.kid

    @property
    def state(self) -> State:
        if self.is_active:
            return State.ACTIVE
        return State.PENDING if self.times.activated is None else State.RETIRING

    @property
    def was_activated(self) -> bool:
        """Whether the link must lead here, were there none: its key signed until now."""
        return self.has_private and self.times.activated is not None and self.times.retired is None

    @property
    def longest(self) -> timedelta:
        return timedelta(seconds=self.times.longest_lifetime)

    def until(self, timing: Timing) -> datetime | None:
        """When a retiring key may go; None for any other."""
        if self.state is not State.RETIRING or self.times.retired is None:
            return None
        derived = self.times.retired + timing.grace(self.longest)
        return derived if self.times.until is None else max(derived, self.times.until)


def check_moments(*moments: datetime | None) -> None:
    """Raises ValueError for one so far away that there is no time after the spans that follow."""
    for found in moments:
        if found is not None and not _FIRST <= found < _LAST:
            raise ValueError(f"a time must be from {_FIRST.year} on and before {_LAST.year}")


def moment(now: datetime) -> datetime:
    """As times are written: whole seconds of UTC, and rather late than early.

    What is waited for is counted from here.
    """
    whole = now.astimezone(timezone.utc).replace(microsecond=0)
    return whole + timedelta(seconds=1) if now.microsecond else whole


def load(path: Path, *, active: bool, rsa: Algorithm = Algorithm.RS256) -> Entry:
    """A key's directory. `rsa` is what an RSA key without times is for. Raises OperatorError."""
    times = load_times(path)
    public = load_public(path, rsa if times is None else times.algorithm)
    if times is None:
        times = _unwritten(path, public.algorithm, active=active)
    elif times.algorithm is not public.algorithm:
        raise OperatorError(
            f"{path / TIMES}: algorithm is {times.algorithm.value}, "
            f"and the key is for {public.algorithm.value}"
        )
    return Entry(path, public, times, active, source.has_private(path))


def load_times(path: Path) -> Times | None:
    """None for an entry of a version that wrote none. Raises OperatorError."""
    file = path / TIMES
    if not os.path.lexists(file):
        return None
    content, _ = files.read(file, through_link=False)
    try:
        return msgspec.json.decode(content, type=Times)
    except msgspec.DecodeError as error:
        raise OperatorError(f"{file}: is not what the ring writes: {error}") from None


def save_times(path: Path, times: Times) -> None:
    disk.write(path / TIMES, msgspec.json.encode(times) + b"\n", MODES[TIMES])


def load_public(path: Path, rsa: Algorithm = Algorithm.RS256) -> PublicKey:
    """The public half, if the directory is named after it. Raises OperatorError."""
    file = path / PUBLIC
    try:
        key = PublicKey.from_pem(files.read(file, through_link=False)[0], rsa)
    except KeyFormatError as error:
        raise OperatorError(f"{file}: {error}") from None
    if key.kid != path.name:  # RFC 7638: the kid is the key's thumbprint
        raise OperatorError(f"{file}: its thumbprint is {key.kid}, not its directory's name")
    return key


def _unwritten(path: Path, algorithm: Algorithm, *, active: bool) -> Times:
    """Of a key that a version without times.json made: it had no pending keys.

    A key that can't sign any more, or never could here, was another's or is an old one.
    """
    private = path / PRIVATE
    made = private if private.exists() else path / PUBLIC
    created = moment(datetime.fromtimestamp(made.stat().st_mtime, timezone.utc))
    signed = active or not private.exists() or not os.path.lexists(path.parent / ACTIVE)
    return Times(
        algorithm=algorithm, created=created, longest_lifetime=0,
        activated=created if signed else None,
    )  # fmt: skip
