"""fleet-state.json: what this server believes of other hosts, over restarts.

Without it a statement from before could be replayed to a server that has just started.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec

from oauth_server import files
from oauth_server.errors import OperatorError
from oauth_server.fleet import statement
from oauth_server.fleet.statement import StatementError
from oauth_server.keys import disk
from oauth_server.keys.entry import Moment, check_moments
from oauth_server.keys.jose import PublicKey

FILE = "fleet-state.json"

_MODE = 0o600
_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Record:
    """The newest that is known of one host; `departed` is when it was seen to have left."""

    host: str
    sequence: int
    keys: Sequence[PublicKey]
    serves: Collection[str] = ()
    departed: datetime | None = None

    def left(self, now: datetime) -> Record:
        return replace(self, departed=now)

    def returned(self, host: str) -> Record:
        return replace(self, host=host, departed=None)


class _Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    host: str
    sequence: int
    keys: tuple[Mapping[str, str], ...]
    serves: tuple[str, ...] = ()
    departed: Moment | None = None

    def __post_init__(self) -> None:
        check_moments(self.departed)


class _File(msgspec.Struct, frozen=True, kw_only=True):
    """`sequence` is of this host's own last statement."""

    issuer: str
    sequence: int
    hosts: Mapping[str, _Entry]


@dataclass(frozen=True)
class Memory:
    """By identity; `sequence` is of this host's own last statement."""

    records: Mapping[str, Record]
    sequence: int = 0


def load(path: Path, issuer: str) -> Memory:
    """What was saved for this issuer. Raises OperatorError for a file that is damaged."""
    if files.missing(path):
        return Memory({})
    content, _ = files.read(path, max_bytes=_MAX_BYTES)
    try:
        found = msgspec.json.decode(content, type=_File)
        if found.issuer != issuer:
            return Memory({})
        records = {
            known_by: Record(
                entry.host, entry.sequence, statement.keys(entry.keys),
                frozenset(entry.serves), entry.departed,
            )
            for known_by, entry in found.hosts.items()
        }  # fmt: skip
    except (msgspec.DecodeError, StatementError):
        raise OperatorError(f"{path}: is not what the server writes") from None
    return Memory(records, found.sequence)


def save(path: Path, issuer: str, memory: Memory) -> None:
    """Raises OperatorError if it cannot be written."""
    file = _File(
        issuer=issuer,
        sequence=memory.sequence,
        hosts={
            known_by: _Entry(
                host=record.host,
                sequence=record.sequence,
                keys=tuple(key.to_jwk() for key in record.keys),
                serves=tuple(sorted(record.serves)),
                departed=record.departed,
            )
            for known_by, record in memory.records.items()
        },
    )
    try:
        disk.write(path, msgspec.json.encode(file) + b"\n", _MODE)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be written: {error.strerror}") from None
