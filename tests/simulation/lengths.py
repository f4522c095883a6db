"""The lengths of keys/timing.py, and each of them a minute wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from oauth_server.keys.timing import Timing
from tests.simulation.oracle import Lengths

MINUTE = timedelta(minutes=1)
LENGTHS = Lengths(cache=12 * 3600.0, lifetime=600.0, leeway=30.0)


def timing(kind: type[Timing] = Timing, lengths: Lengths = LENGTHS) -> Timing:
    return kind(
        cache=timedelta(seconds=lengths.cache),
        lifetime=timedelta(seconds=lengths.lifetime),
        leeway=timedelta(seconds=lengths.leeway),
    )


@dataclass(frozen=True)
class Published(Timing):
    @property
    def publication(self) -> timedelta:
        return super().publication - MINUTE


@dataclass(frozen=True)
class Kept(Timing):
    """And what follows from it stays."""

    def grace(self, longest: timedelta = timedelta(0)) -> timedelta:
        return super().grace(longest) - MINUTE

    @property
    def departed(self) -> timedelta:
        return super().departed + MINUTE


@dataclass(frozen=True)
class Stale(Timing):
    """What follows from it stays."""

    @property
    def stale(self) -> timedelta:
        return super().stale - MINUTE

    def grace(self, longest: timedelta = timedelta(0)) -> timedelta:
        return super().grace(longest) + MINUTE


@dataclass(frozen=True)
class StaleLonger(Timing):
    """What is wrong the other way round: the grace knows nothing of it."""

    @property
    def stale(self) -> timedelta:
        return super().stale + MINUTE

    def grace(self, longest: timedelta = timedelta(0)) -> timedelta:
        return super().grace(longest) - MINUTE


@dataclass(frozen=True)
class Revoked(Timing):
    def emergency(self, longest: timedelta = timedelta(0)) -> timedelta:
        return super().emergency(longest) - MINUTE


@dataclass(frozen=True)
class Departed(Timing):
    @property
    def departed(self) -> timedelta:
        return super().departed - MINUTE


@dataclass(frozen=True)
class Ahead(Timing):
    """Without the day that it has in hand, and then a minute."""

    def second_pending(self, activated: datetime) -> datetime:
        return super().second_pending(activated) + timedelta(days=1) + MINUTE
