"""The steps from one state to the next, which lifecycle and recovery are made of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from oauth_server.errors import OperatorError
from oauth_server.keys import disk, entry, removed
from oauth_server.keys.entry import Entry, State, Times
from oauth_server.keys.layout import ACTIVE, GONE, MODES, PUBLIC, RING, UNFINISHED
from oauth_server.keys.removed import Reason
from oauth_server.keys.source import FileKeys, KeySource
from oauth_server.keys.timing import Timing
from oauth_server.models import Algorithm


@dataclass(frozen=True)
class Policy:
    """What the settings say of keys; `algorithm` is what new ones are for."""

    algorithm: Algorithm = Algorithm.RS256
    timing: Timing = field(default_factory=Timing)
    source: KeySource = field(default_factory=FileKeys)


def make(ring: Path, policy: Policy, now: datetime, *, signs: bool = False) -> str:
    """A new key, pending or, if it `signs`, to be activated at once; its kid."""
    # The private half is made before its name is known.
    staging = ring / f"{UNFINISHED}key"
    if os.path.lexists(staging):  # of a run that failed, and recovery could not destroy its key
        policy.source.destroy(staging)
        disk.remove_tree(staging)
    disk.make_directory(staging)
    public = policy.source.generate(policy.algorithm, staging)
    disk.write_new(staging / PUBLIC, public.to_pem(), MODES[PUBLIC])
    made = entry.moment(now)
    entry.save_times(
        staging,
        Times(
            algorithm=public.algorithm,
            created=made,
            activated=made if signs else None,
            longest_lifetime=int(policy.timing.lifetime.total_seconds()),
        ),
    )
    disk.finish(staging)
    disk.rename(staging, ring / public.kid)
    return public.kid


def activate(ring: Path, kid: str) -> None:
    """The one commit point of a rotation."""
    disk.link(ring / ACTIVE, kid)


def fits(found: Entry, policy: Policy) -> bool:
    """Whether a key is as new ones are: of the algorithm, and where they are made."""
    return found.public.algorithm is policy.algorithm and policy.source.holds(found.path)


def successor(entries: Sequence[Entry], policy: Policy) -> str | None:
    """The pending key that has been known for longest, of the wanted algorithm if there is one."""
    pending = [found for found in entries if found.state is State.PENDING and found.has_private]
    pending.sort(
        key=lambda found: (found.public.algorithm is not policy.algorithm, found.times.created)
    )
    return pending[0].kid if pending else None


def remove(
    directory: Path,
    found: Entry,
    reason: Reason,
    now: datetime,
    policy: Policy,
    notes: list[str],
) -> None:
    """A key that does not sign leaves the ring, and its line stays."""
    removed.add(directory, found, reason, entry.moment(now))
    leave(directory / RING / found.kid, policy, notes)


def leave(path: Path, policy: Policy, notes: list[str]) -> None:
    """Out of the ring by one rename; then the private half is destroyed."""
    gone = path.with_name(GONE + path.name)
    disk.rename(path, gone)
    clear(gone, policy, notes)


def clear(path: Path, policy: Policy, notes: list[str]) -> None:
    if destroy(path, policy, notes):
        disk.remove_tree(path)


def destroy(path: Path, policy: Policy, notes: list[str]) -> bool:
    """Whether the private half is gone: a token may be away, and then the next run does it."""
    try:
        policy.source.destroy(path)
    except OperatorError as error:
        notes += error.problems
        return False
    return True
