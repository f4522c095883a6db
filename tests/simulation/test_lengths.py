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

Scene = Callable[[Drill], Iterable[str]]
_SHORT = Lengths(cache=300.0, lifetime=600.0, leeway=30.0)
_ALL = [
    drills.publication, drills.staleness, drills.revocation, drills.renewal, drills.departure,
    drills.second_emergency,
]  # fmt: skip
_WRONG = [
    (drills.publication, Published),
    (drills.staleness, Kept),
    (drills.staleness, Stale),
    (drills.staleness, StaleLonger),
    (drills.revocation, Revoked),
    (drills.departure, Departed),
    (drills.second_emergency, Ahead),
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


@pytest.mark.parametrize(("scene", "kind"), _WRONG)
def test_a_minute_less_is_too_little(scene: Scene, kind: type[Timing]) -> None:
    """Nothing breaks with the length as it is: the test above holds that."""
    assert broken(scene, kind, LENGTHS)
