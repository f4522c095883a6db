"""Finishes what a killed run began: whatever step it was killed at, the ring is valid afterwards.

A key goes through its states by renames in the ring; what is written beside them follows, and is
worked out anew from them here. Where a time was not written it is now, which is later and so safe.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from oauth_server.errors import OperatorError
from oauth_server.keys import disk, entry, modes, removed, transitions
from oauth_server.keys import ring as key_ring
from oauth_server.keys.entry import Entry, State
from oauth_server.keys.layout import ACTIVE, GONE, PRIVATE, RING, TIMES, UNFINISHED
from oauth_server.keys.transitions import Policy


@dataclass
class Recovered:
    """The ring as it is now, and what could not be finished yet: a line each."""

    entries: Sequence[Entry]
    notes: list[str] = field(default_factory=list)

    @property
    def active(self) -> Entry | None:
        return next((entry for entry in self.entries if entry.is_active), None)

    def find(self, kid: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.kid == kid), None)

    def of(self, state: State) -> Sequence[Entry]:
        return [entry for entry in self.entries if entry.state is state]


def recover(directory: Path, policy: Policy, now: datetime, *, create: bool = False) -> Recovered:
    """The ring, valid; the caller holds the lock. Raises OperatorError where one would guess.

    A ring without keys is a lost one, unless this is to `create` it.
    """
    ring = directory / RING
    notes: list[str] = []
    if not os.path.lexists(ring):
        if not create:
            raise OperatorError(f"{ring}: there is none; `oauth-server keys init` makes it")
        disk.make_directory(ring)
    modes.restore_directory(ring)
    disk.sweep(directory)
    disk.sweep(ring)
    _sweep(ring, policy, notes)
    for path in key_ring.entries(ring):
        modes.restore_entry(path)
        disk.sweep(path)
    _take_over(ring, policy)
    _leave(directory, policy, now, notes)
    if create and not key_ring.entries(ring):
        return Recovered([], notes)
    _link(ring)
    for found in key_ring.read(ring, policy.algorithm):
        _stamp(found, policy, now)
        retired = found.state is State.RETIRING and found.has_private
        if retired and policy.source.in_memory(found.path):
            transitions.destroy(found.path, policy, notes)
    return Recovered(key_ring.read(ring, policy.algorithm), notes)


def _sweep(ring: Path, policy: Policy, notes: list[str]) -> None:
    for leftover in (*ring.glob(f"{UNFINISHED}*"), *ring.glob(f"{GONE}*")):
        if not stat.S_ISDIR(leftover.lstat().st_mode):
            raise OperatorError(
                f"{leftover}: is in the way: {UNFINISHED} is for directories of keys being made, "
                f"{GONE} for those being removed"
            )
        modes.restore_directory(leftover)
        transitions.clear(leftover, policy, notes)


def _take_over(ring: Path, policy: Policy) -> None:
    """Give times to keys of a version that wrote none."""
    has_active = os.path.lexists(ring / ACTIVE)
    old = [path for path in key_ring.entries(ring) if not os.path.lexists(path / TIMES)]
    if not has_active and sum(os.path.lexists(path / PRIVATE) for path in old) > 1:
        raise OperatorError(
            f"{ring / ACTIVE}: is missing and there are several keys; link it to the one that signs"
        )
    active = key_ring.active_kid(ring) if has_active else None
    for path in old:
        found = entry.load(path, active=path.name == active, rsa=key_ring.rsa_for(policy.algorithm))
        entry.save_times(path, found.times)


def _leave(directory: Path, policy: Policy, now: datetime, notes: list[str]) -> None:
    """Finish the removal of what removed.json already counts as gone."""
    ring = directory / RING
    gone = {line.kid for line in removed.load(directory)}
    going = [path.name for path in key_ring.entries(ring) if path.name in gone]
    if not going:
        return
    entries = key_ring.read(ring, policy.algorithm)
    leaving = [found for found in entries if found.kid in gone]
    if any(found.is_active for found in leaving):
        successor = transitions.successor(
            [found for found in entries if found.kid not in gone], policy
        )
        transitions.activate(ring, successor or transitions.make(ring, policy, now))
    for found in leaving:
        transitions.leave(found.path, policy, notes)


def _link(ring: Path) -> None:
    """Link a first key that a killed run made and did not activate."""
    if os.path.lexists(ring / ACTIVE):
        return
    signing = [found.kid for found in key_ring.read(ring) if found.was_activated]
    if len(signing) > 1:
        raise OperatorError(
            f"{ring / ACTIVE}: is missing and there are several keys; link it to the one that signs"
        )
    for kid in signing:
        transitions.activate(ring, kid)


def _stamp(found: Entry, policy: Policy, now: datetime) -> None:
    times = found.times
    lifetime = int(policy.timing.lifetime.total_seconds())
    if found.is_active:
        times = msgspec.structs.replace(
            times,
            activated=times.activated or entry.moment(now),
            longest_lifetime=max(times.longest_lifetime, lifetime),
            # Whoever linked a retired key again by hand meant it.
            retired=None, until=None,
        )  # fmt: skip
    elif times.activated is not None and times.retired is None:
        retired = entry.moment(now)
        times = msgspec.structs.replace(
            times, retired=retired, until=retired + policy.timing.grace(found.longest)
        )
    if times != found.times:
        entry.save_times(found.path, times)
