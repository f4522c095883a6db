"""served.json: since when which server has published which key, written by the running server."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from oauth_server import files
from oauth_server.errors import OperatorError
from oauth_server.keys import disk
from oauth_server.keys.entry import Moment, check_moments, moment

FILE = "served.json"
SELF = "self"
"""The name of a server without a fleet."""

_MODE = 0o640
_CHECKED_EVERY = timedelta(seconds=60)
_MAX_BYTES = 1024 * 1024


class _File(msgspec.Struct, frozen=True, kw_only=True):
    checked: Moment
    active: str | None
    served: Mapping[str, Mapping[str, Moment]]

    def __post_init__(self) -> None:
        since = (found for hosts in self.served.values() for found in hosts.values())
        check_moments(self.checked, *since)


@dataclass(frozen=True)
class Readiness:
    """From when a key may sign, as far as it is served; `missing` servers do not serve it."""

    at: datetime | None
    missing: Collection[str]

    def holds(self, now: datetime) -> bool:
        return not self.missing and self.at is not None and self.at <= now


@dataclass(frozen=True)
class Served:
    """`hosts` are the servers that a key must be known to; `since` is by kid, then by host."""

    since: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)
    hosts: Collection[str] = (SELF,)
    active: str | None = None
    checked: datetime | None = None

    def readiness(
        self, kid: str, publication: timedelta, without: Collection[str] = ()
    ) -> Readiness:
        known = self.since.get(kid, {})
        wanted = [host for host in self.hosts if host not in without]
        times = [known[host] + publication for host in wanted if host in known]
        missing = sorted(host for host in wanted if host not in known)
        return Readiness(max(times, default=None), missing)

    def has_gone(self, kid: str, removed: datetime) -> bool:
        """Whether no server is known to publish a key that was removed from the ring then."""
        return kid not in self.since and self.checked is not None and removed <= self.checked


def load(path: Path, hosts: Collection[str] = (SELF,)) -> Served:
    """What the running server wrote, if it wrote anything. Raises OperatorError."""
    if files.missing(path):
        return Served(hosts=hosts)
    content, _ = files.read(path, max_bytes=_MAX_BYTES)
    try:
        found = msgspec.json.decode(content, type=_File)
    except msgspec.DecodeError as error:
        raise OperatorError(f"{path}: is not what the server writes: {error}") from None
    return Served(found.served, hosts, found.active, found.checked)


class ServedFile:
    """The file, for the one server that writes it. A kid keeps its `since` over restarts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: _File | None = None

    def note(
        self,
        kids: Collection[str],
        active: str | None,
        now: datetime,
        host: str = SELF,
        others: Mapping[str, Collection[str]] | None = None,
    ) -> Served:
        """`host` publishes these keys now; `others` is which ones each other server says it does.

        Another's word counts from when it was heard: that is later than it was true, and by the
        clock that the key will be activated by. A key that was published here stays written until
        nobody says that of it any more.

        Raises OperatorError if it cannot be written.
        """
        now = moment(now)
        before = self._before()
        served: dict[str, dict[str, datetime]] = {}
        for server, theirs in {host: kids, **(others or {})}.items():
            for kid in {*kids, *before} & {*theirs}:
                since = before.get(kid, {}).get(server, now)
                served.setdefault(kid, {})[server] = since
        file = _File(checked=now, active=active, served=served)
        old = self._written
        if (
            old is None
            or (old.active, old.served) != (active, served)
            or not timedelta(0) <= now - old.checked < _CHECKED_EVERY
        ):
            try:
                disk.write(self._path, msgspec.json.encode(file) + b"\n", _MODE)
            except OSError as error:
                raise OperatorError(f"{self._path}: cannot be written: {error.strerror}") from None
            self._written = file
        return Served(served, (host, *(others or ())), active, now)

    def _before(self) -> Mapping[str, Mapping[str, datetime]]:
        if self._written is not None:
            return self._written.served
        try:
            return load(self._path).since
        except OperatorError:  # damaged: as if served from now on, which is later and so safe
            return {}
