"""removed.json: the keys that are gone, and why."""

from __future__ import annotations

import os
from collections.abc import Sequence, Set
from datetime import datetime
from enum import Enum
from pathlib import Path

import msgspec

from oauth_server import files
from oauth_server.errors import OperatorError
from oauth_server.keys import disk
from oauth_server.keys.entry import Entry, Moment, check_moments
from oauth_server.keys.layout import REMOVED
from oauth_server.models import Algorithm

_MODE = 0o644
_KEPT = 100


class Reason(str, Enum):
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    EMERGENCY = "emergency"


class Removed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`revoked` is whether the store has been told what an emergency revokes.

    `until` is how long that must be known there at least, `settled` that it need not be told again.
    """

    kid: str
    algorithm: Algorithm
    created: Moment
    removed: Moment
    reason: Reason
    activated: Moment | None = None
    retired: Moment | None = None
    revoked: bool | None = None
    until: Moment | None = None
    settled: bool = False

    def __post_init__(self) -> None:
        check_moments(self.created, self.removed, self.activated, self.retired, self.until)


class _File(msgspec.Struct, frozen=True):
    removed: tuple[Removed, ...]


def load(directory: Path) -> Sequence[Removed]:
    """Oldest first. Raises OperatorError."""
    path = directory / REMOVED
    if not os.path.lexists(path):
        return ()
    content, _ = files.read(path, through_link=False)
    try:
        return msgspec.json.decode(content, type=_File).removed
    except msgspec.DecodeError as error:
        raise OperatorError(f"{path}: is not what the ring writes: {error}") from None


def add(
    directory: Path, entry: Entry, reason: Reason, now: datetime, until: datetime | None = None
) -> None:
    """The line of a key that goes, written before it does; one that is there stays as it is.

    Except that an emergency takes the place of any other reason.
    """
    known = load(directory)
    old = next((line for line in known if line.kid == entry.kid), None)
    if old is not None and (reason is not Reason.EMERGENCY or old.reason is reason):
        return
    line = Removed(
        kid=entry.kid, algorithm=entry.public.algorithm, created=entry.times.created,
        activated=entry.times.activated, retired=entry.times.retired, removed=now, reason=reason,
        revoked=False if reason is Reason.EMERGENCY else None, until=until,
    )  # fmt: skip
    _save(directory, [*(other for other in known if other is not old), line])


def set_revoked(directory: Path, kid: str, *, settled: bool) -> None:
    """The store has been told."""
    _save(
        directory,
        [
            msgspec.structs.replace(line, revoked=True, settled=settled)
            if line.kid == kid
            else line
            for line in load(directory)
        ],
    )


def emergencies(directory: Path) -> Set[str]:
    """What was removed in an emergency, by kid. Raises OperatorError."""
    return {line.kid for line in load(directory) if line.reason is Reason.EMERGENCY}


def _save(directory: Path, lines: Sequence[Removed]) -> None:
    content = msgspec.json.format(msgspec.json.encode(_File(tuple(lines[-_KEPT:]))), indent=2)
    disk.write(directory / REMOVED, content + b"\n", _MODE)
