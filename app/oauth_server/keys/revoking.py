"""What the store is to be told of keys that an emergency removed, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from oauth_server.keys import disk, entry, removed
from oauth_server.keys.recovery import recover
from oauth_server.keys.served import Served
from oauth_server.keys.transitions import Policy

# The timer looks each quarter of an hour, and may be late.
_LOOKED_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Revocation:
    """What an emergency revokes, and how long the store must know it; whether it does already."""

    kid: str
    until: datetime
    known: bool


def to_revoke(
    directory: Path, policy: Policy, now: datetime, served: Served
) -> Sequence[Revocation]:
    """What the store is to be told: what it does not know yet, and what it must know for longer.

    An emergency that was killed ends later than it began: here, and the key was published until
    now. A server that can read nothing of its keys, and one that is away, may publish the key for
    long: as long as any is known to, a cache may ask it. Who asks for this again sees to that.
    """
    if any(line.revoked is False for line in removed.load(directory)):
        with disk.locked(directory):
            recover(directory, policy, now)
    lasts = policy.timing.emergency()
    first = entry.moment(now) + max(lasts, _LOOKED_AFTER)
    again = entry.moment(now) + lasts + _LOOKED_AFTER
    return [
        Revocation(
            line.kid, max(again if line.revoked else first, line.until or first), line.revoked
        )
        for line in removed.load(directory)
        if line.revoked is not None
        and not (line.revoked and served.has_gone(line.kid, line.removed))
    ]


def set_revoked(directory: Path, kid: str) -> None:
    """The store knows what an emergency revoked."""
    with disk.locked(directory):
        removed.set_revoked(directory, kid)
