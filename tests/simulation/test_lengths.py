"""Each length is right to the minute: nothing breaks with it, and with a minute less it does."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from oauth_server.keys.timing import Timing
from tests.simulation import drills
from tests.simulation.drills import Drill
from tests.simulation.host import memory
from tests.simulation.lengths import (
    LENGTHS,
    Ahead,
    Departed,
    Kept,
    Published,
    Revoked,
    Stale,
    StaleLonger,
    timing,
)
from tests.simulation.oracle import Lengths
from tests.simulation.scenario import scenario

Scene = Callable[[Drill], Iterable[str]]
_SHORT = Lengths(cache=300.0, lifetime=600.0, leeway=30.0)
_ALL = [
    drills.publication, drills.staleness, drills.revocation, drills.withholding, drills.renewal,
    drills.departure, drills.second_emergency,
]  # fmt: skip
_WRONG = [
    (drills.publication, Published, "is refused with a set"),
    (drills.staleness, Kept, "is refused with a set"),
    (drills.staleness, Stale, "signs no more"),
    (drills.staleness, StaleLonger, "is refused with a set"),
    (drills.revocation, Revoked, "a cache believes it until"),
    (drills.departure, Departed, "is refused with a set"),
    (drills.second_emergency, Ahead, "caches do not know it"),
]


def broken(scene: Scene, kind: type[Timing], lengths: Lengths) -> list[str]:
    with tempfile.TemporaryDirectory(dir=memory()) as directory:
        drill = Drill(Path(directory), timing(kind, lengths), lengths)
        try:
            return list(scene(drill))
        finally:
            drill.world.close()


@pytest.mark.parametrize("scene", _ALL)
@pytest.mark.parametrize("lengths", [LENGTHS, _SHORT], ids=["12 hours", "5 minutes"])
def test_nothing_breaks_at_the_worst_moment(scene: Scene, lengths: Lengths) -> None:
    assert broken(scene, Timing, lengths) == []


@pytest.mark.parametrize(("scene", "kind", "promise"), _WRONG)
def test_a_minute_less_is_too_little(scene: Scene, kind: type[Timing], promise: str) -> None:
    """Nothing breaks with the length as it is: the test above holds that."""
    faults = broken(scene, kind, LENGTHS)
    assert any(promise in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("kind", "breaks"),
    [(Timing, False), (Published, True), (StaleLonger, True), (Departed, True)],
)
def test_two_years_show_it_by_chance(kind: type[Timing], *, breaks: bool) -> None:
    with scenario(timing(kind), 1) as fleet:
        assert bool(fleet.run(2)) is breaks
