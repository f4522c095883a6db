"""A key's life: pending, active, retiring, removed. Each change is crash-safe, one at a time.

Whoever changes the ring holds its lock and begins by finishing what a killed run left (recovery).
`now` is given: nothing here asks a clock.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from oauth_server.errors import OperatorError
from oauth_server.keys import disk, entry, removed, transitions
from oauth_server.keys.entry import Entry, State
from oauth_server.keys.layout import ACTIVE, RING, SHORTCUTS
from oauth_server.keys.recovery import Recovered, recover
from oauth_server.keys.removed import Reason
from oauth_server.keys.served import Readiness, Served
from oauth_server.keys.transitions import Policy

# Two who ask at once want one rotation, and the second may begin when the first has ended.
_ONE_ROTATION = timedelta(seconds=10)


class NotReadyError(OperatorError):
    """No pending key may sign yet: `readiness` says who has not served it, and from when it may."""

    def __init__(self, problem: str, kid: str, readiness: Readiness) -> None:
        super().__init__(problem)
        self.kid = kid
        self.readiness = readiness


@dataclass(frozen=True)
class Rotation:
    """`happened` is False if somebody else just had; `notes` is what is still to be done."""

    active: str
    previous: str | None
    happened: bool = True
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Emergency:
    """`state` is what the key was in; `known_from` is when every cache knows the new active key."""

    kid: str
    state: State
    longest: timedelta
    active: str | None
    known_from: datetime | None
    missing: Collection[str] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Retirement:
    removed: Sequence[str]
    notes: Sequence[str] = field(default_factory=list)


def init(
    directory: Path, policy: Policy, now: datetime, *, joining: bool = False
) -> tuple[str, Sequence[str]]:
    """A valid ring: a first key signs at once, or, on a host that is `joining`, later.

    The kid of the active key (of the oldest pending one if none is active), and notes. Raises
    OperatorError.
    """
    with disk.locked(directory):
        ring = directory / RING
        held = recover(directory, policy, now, create=True)
        if not held.entries:
            kid = transitions.make(ring, policy, now, signs=not joining)
            if not joining:
                transitions.activate(ring, kid)
            held = recover(directory, policy, now)
        notes = [*held.notes, *_prepare(directory, held, policy, now)]
        if held.active is not None:
            policy.source.prove(held.active.path, held.active.public)
        for name, file in SHORTCUTS.items():
            _shortcut(directory / name, f"{RING}/{ACTIVE}/{file}")
        kid = held.active.kid if held.active else min(held.entries, key=_age).kid
        return kid, notes


def due(held: Sequence[Entry], policy: Policy) -> datetime | None:
    """When the next rotation is; None for a host that has joined, which signs as soon as it may."""
    active = next((found for found in held if found.is_active), None)
    if active is None:
        return None
    if not transitions.fits(active, policy):
        return entry.moment(active.times.created)  # as soon as one that does may sign
    return policy.timing.due(active.times.activated or active.times.created)


def candidate(
    held: Sequence[Entry], policy: Policy, served: Served, without: Collection[str] = ()
) -> tuple[Entry, Readiness] | None:
    """The pending key that may sign first, and when; None if there is none of the algorithm."""
    pending = [
        (found, served.readiness(found.kid, policy.timing.publication, without))
        for found in held
        if found.state is State.PENDING and transitions.fits(found, policy)
    ]
    return min(
        pending,
        key=lambda item: (
            len(item[1].missing),
            item[1].at is None,
            item[1].at or item[0].times.created,
            item[0].times.created,
            item[0].kid,
        ),
        default=None,
    )


def prepare(directory: Path, policy: Policy, now: datetime) -> Sequence[str]:
    """Have as many pending keys as there should be, of the settings' algorithm; notes."""
    with disk.locked(directory):
        held = recover(directory, policy, now)
        return [*held.notes, *_prepare(directory, held, policy, now)]


def rotate(
    directory: Path,
    policy: Policy,
    now: datetime,
    served: Served,
    *,
    without: Collection[str] = (),
    expected: str | None = None,
) -> Rotation:
    """Let the pending key sign that every server has published for long enough.

    `without` names servers that need not have; `expected` is the active kid that the caller saw:
    if another signs by now, or there was a rotation a moment ago, that was the rotation. Raises
    NotReadyError, before anything but the number of pending keys was changed, and OperatorError.
    """
    with disk.locked(directory):
        ring = directory / RING
        held = recover(directory, policy, now)
        old = held.active
        if old is not None and _just_rotated(held, old, expected, now):
            notes = [*held.notes, *_prepare(directory, held, policy, now)]
            return Rotation(old.kid, None, happened=False, notes=notes)
        notes = [*held.notes, *_prepare(directory, held, policy, now)]
        held = recover(directory, policy, now)
        found = candidate(held.entries, policy, served, without)
        if found is None:
            raise OperatorError(f"{ring}: has no key; `oauth-server keys init` makes one")
        new, readiness = found
        if not readiness.holds(now):
            raise NotReadyError(why_not(new, readiness), new.kid, readiness)
        policy.source.prove(new.path, new.public)
        transitions.activate(ring, new.kid)
        # Both times, and the old private half: as after a crash at this moment.
        held = recover(directory, policy, now)
        notes += [*held.notes, *_prepare_after(directory, held, policy, now)]
        return Rotation(new.kid, old.kid if old else None, notes=notes)


def retire(directory: Path, policy: Policy, now: datetime) -> Retirement:
    """Remove the keys whose last token has expired, caches and leeway included."""
    with disk.locked(directory):
        held = recover(directory, policy, now)
        notes = held.notes
        over = [found for found in held.of(State.RETIRING) if is_over(found, policy, now)]
        for found in over:
            transitions.remove(directory, found, Reason.EXPIRED, now, policy, notes)
        return Retirement([found.kid for found in over], notes)


def is_over(found: Entry, policy: Policy, now: datetime) -> bool:
    until = found.until(policy.timing)
    return until is not None and until <= now


def emergency(
    directory: Path, policy: Policy, now: datetime, served: Served, kid: str
) -> Emergency:
    """Remove a key now, whatever it does; if it signs, the best pending one takes its place.

    First of all the intent is written down: whatever happens then, the next run goes on with it.
    What the key signed is still to be revoked in the store (revoking.py). Raises
    OperatorError.
    """
    with disk.locked(directory):
        ring = directory / RING
        held = recover(directory, policy, now)
        found = held.find(kid)
        if found is None:
            raise OperatorError(f"{ring}: has no key {kid}; `oauth-server keys list` names them")
        longest = max(found.longest, policy.timing.lifetime)
        until = entry.moment(now) + policy.timing.emergency(longest)
        removed.add(directory, found, Reason.EMERGENCY, entry.moment(now), until)
        if found.is_active:
            transitions.activate(ring, _successor(ring, held, policy, now, served))
        transitions.leave(found.path, policy, held.notes)
        after = recover(directory, policy, now)
        notes = [*held.notes, *after.notes, *_prepare_after(directory, after, policy, now)]
        active = after.active.kid if after.active else None
        readiness = served.readiness(active or "", policy.timing.publication)
        return Emergency(kid, found.state, longest, active, readiness.at, readiness.missing, notes)


def _successor(ring: Path, held: Recovered, policy: Policy, now: datetime, served: Served) -> str:
    """The pending key that caches know best; a new one if there is none."""
    best = candidate(held.entries, policy, served)
    other = transitions.successor(held.entries, policy)
    if best is not None:
        return best[0].kid
    return other or transitions.make(ring, policy, now, signs=True)


def _prepare(directory: Path, held: Recovered, policy: Policy, now: datetime) -> Sequence[str]:
    """New pending keys before old ones of another kind go; notes."""
    notes: list[str] = []
    pending = held.of(State.PENDING)
    fitting = [found for found in pending if transitions.fits(found, policy)]
    for _ in range(len(fitting), _wanted(held, policy, now)):
        transitions.make(directory / RING, policy, now)
    for found in pending:
        if found not in fitting:
            transitions.remove(directory, found, Reason.WITHDRAWN, now, policy, notes)
    return notes


def _prepare_after(
    directory: Path, held: Recovered, policy: Policy, now: datetime
) -> Sequence[str]:
    """Where what matters is done and must be said: the next run makes what cannot be made now."""
    try:
        return _prepare(directory, held, policy, now)
    except OperatorError as error:
        problems = error.problems
    except OSError as error:
        problems = [f"{error.filename or directory}: {error.strerror}"]
    return [f"there is no new pending key yet: {problem}" for problem in problems]


def _wanted(held: Recovered, policy: Policy, now: datetime) -> int:
    active = held.active
    if active is None:
        return 1
    activated = active.times.activated or active.times.created
    return 2 if policy.timing.second_pending(activated) <= now else 1


def _just_rotated(held: Recovered, active: Entry, expected: str | None, now: datetime) -> bool:
    if expected is not None and active.kid != expected:
        return True
    retired = [found.times.retired for found in held.entries if found.times.retired is not None]
    # A time is written up to a second late.
    return any(abs(now - time) < _ONE_ROTATION for time in retired)


def why_not(new: Entry, readiness: Readiness) -> str:
    if readiness.missing:
        return (
            f"the pending key {new.kid} is not known everywhere: "
            f"not served by {', '.join(readiness.missing)} yet"
        )
    assert readiness.at is not None  # noqa: S101 - somebody serves it, or it would be missing
    return (
        f"the pending key {new.kid} may sign from {readiness.at:%Y-%m-%dT%H:%M:%SZ} on: "
        "until then a cache may not know it"
    )


def _age(found: Entry) -> tuple[datetime, str]:
    return found.times.created, found.kid


def _shortcut(link: Path, target: str) -> None:
    if not os.path.lexists(link):
        disk.link(link, target)
    elif not link.is_symlink() or str(link.readlink()) != target:
        raise OperatorError(f"{link}: is in the way: it must be a symbolic link to {target}")
