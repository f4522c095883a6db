"""What the store is to be told of keys that an emergency removed, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from oauth_server.keys import disk, entry, removed
from oauth_server.keys.recovery import recover
from oauth_server.keys.served import Served
from oauth_server.keys.transitions import Policy


@dataclass(frozen=True)
class Revocation:
    """What an emergency revokes, and until when the store must know it at least.

    `known` is whether it does already, `last` whether it need not be told again.
    """

    kid: str
    until: datetime
    known: bool
    last: bool


def to_revoke(
    directory: Path, policy: Policy, now: datetime, served: Served
) -> Sequence[Revocation]:
    """What the store is to be told; whoever does so notes it (`note`), and asks again later.

    An emergency that was killed ends later than it began: here, and the key was published until
    now. A server that can read nothing of its keys, and one that is away, may publish it for long:
    it is told again until none is known to, and once more then, for the caches that asked last.
    """
    if any(line.revoked is False for line in removed.load(directory)):
        with disk.locked(directory):
            recover(directory, policy, now)
    until = entry.moment(now) + policy.timing.emergency()
    return [
        Revocation(
            line.kid, max(until, line.until or until), line.revoked,
            last=served.has_gone(line.kid, line.removed),
        )
        for line in removed.load(directory)
        if line.revoked is not None and not line.settled
    ]  # fmt: skip


def note(directory: Path, told: Revocation) -> None:
    """The store has been told."""
    if told.last or not told.known:
        with disk.locked(directory):
            removed.set_revoked(directory, told.kid, settled=told.last)
