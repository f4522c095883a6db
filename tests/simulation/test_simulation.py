"""Ten years, and no token refused that is good, or accepted that is not. A minute less fails."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from oauth_server.keys.timing import Timing
from tests.simulation.host import memory
from tests.simulation.scenario import LENGTHS, Scenario

_MINUTE = timedelta(minutes=1)


@contextmanager
def scenario(timing: Timing, seed: int) -> Iterator[Scenario]:
    with tempfile.TemporaryDirectory(dir=memory()) as directory:
        yield Scenario(Path(directory), timing, seed)


def timing(kind: type[Timing] = Timing) -> Timing:
    return kind(
        cache=timedelta(seconds=LENGTHS.cache),
        lifetime=timedelta(seconds=LENGTHS.lifetime),
        leeway=timedelta(seconds=LENGTHS.leeway),
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_years(seed: int) -> None:
    with scenario(timing(), seed) as fleet:
        faults = fleet.run()
        assert not faults, "\n".join(fleet.explain(faults[0]))
        # It was no quiet time.
        assert fleet.rotations > 150
        assert fleet.emergencies > 20
        assert fleet.kills > 20
        assert fleet.excused < fleet.emergencies / 2


@dataclass(frozen=True)
class Published(Timing):
    @property
    def publication(self) -> timedelta:
        return super().publication - _MINUTE


@dataclass(frozen=True)
class Kept(Timing):
    def grace(self, longest: timedelta = timedelta(0)) -> timedelta:
        return super().grace(longest) - _MINUTE


@dataclass(frozen=True)
class Stale(Timing):
    """Here longer is worse; the grace, which follows from it, stays."""

    @property
    def stale(self) -> timedelta:
        return super().stale + _MINUTE

    def grace(self, longest: timedelta = timedelta(0)) -> timedelta:
        return super().grace(longest) - _MINUTE


@dataclass(frozen=True)
class Revoked(Timing):
    def emergency(self, longest: timedelta = timedelta(0)) -> timedelta:
        return super().emergency(longest) - _MINUTE


@pytest.mark.parametrize("kind", [Published, Kept, Stale, Revoked])
def test_a_minute_less_is_too_little(kind: type[Timing]) -> None:
    with scenario(timing(kind), 1) as fleet:
        assert fleet.run()
