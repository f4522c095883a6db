"""Killed before each of its steps, a change of the ring is finished, or undone, by the next run."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from oauth_server.keys import lifecycle, removed, ring
from oauth_server.keys.entry import State
from oauth_server.keys.transitions import Policy
from oauth_server.models import Algorithm
from tests.unit.oauth_server.keys import rings
from tests.unit.oauth_server.keys.killing import killed, moments
from tests.unit.oauth_server.keys.rings import DAY, POLICY, START

NOW = START + 90 * DAY
LATER = NOW + timedelta(hours=1)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ring with a key in every state."""
    directory = tmp_path_factory.mktemp("used") / "keys"
    lifecycle.init(directory, POLICY, START)
    rings.rotated(directory, NOW - timedelta(hours=1))
    assert {entry.state for entry in ring.read(directory / "ring")} == set(State)
    return directory


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """In memory: a thousand rings are synced to their disk at each step."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        yield Path(directory)


@pytest.fixture
def fresh(scratch: Path, used: Path) -> Callable[[], Path]:
    """Copies of it."""
    numbers = itertools.count()

    def copy() -> Path:
        target = scratch / str(next(numbers))
        shutil.copytree(used, target, symlinks=True)
        return target

    return copy


def rotate(directory: Path, now: datetime = NOW) -> None:
    known = rings.served(directory, START)
    lifecycle.rotate(directory, POLICY, now, known, expected=rings.active(directory).kid)


def retire(directory: Path) -> None:
    lifecycle.retire(directory, POLICY, NOW + DAY)


def recovered(directory: Path, policy: Policy = POLICY) -> Path:
    """By the next run."""
    lifecycle.prepare(directory, policy, LATER)
    rings.assert_valid(directory, LATER, policy)
    return directory


def recovered_after_kills(directory: Path) -> Iterator[Path]:
    """By a run after one that was killed as well, at each of its steps."""
    for moment in itertools.count(1):
        copy = directory.with_name(f"{directory.name}-{moment}")
        shutil.copytree(directory, copy, symlinks=True)
        again = killed(copy, moment, lambda: lifecycle.prepare(copy, POLICY, LATER))  # noqa: B023
        rings.assert_private(copy)
        rings.assert_loads(copy)
        yield recovered(copy)
        shutil.rmtree(copy)
        if not again:
            return


def unmasked(directory: Path) -> None:
    os.umask(0)
    lifecycle.init(directory, POLICY, NOW)


def test_init_is_finished_by_the_next_run(scratch: Path) -> None:
    numbers = itertools.count()
    count = 0
    for directory in moments(lambda: scratch / str(next(numbers)), unmasked):
        # At every moment, and with a umask that would let everybody read.
        rings.assert_private(directory)
        whole = {path.name for path in directory.glob("ring/[!.]*/private.pem")} and {
            path.name for path in ring.entries(directory / "ring")
        }
        lifecycle.init(directory, POLICY, LATER)
        rings.assert_valid(directory, LATER)
        found = {entry.kid for entry in ring.read(directory / "ring")}
        assert len(found) == 2
        assert whole <= found  # what was made is used, and no other made in its place
        count += 1
    assert count > 20


def test_a_joining_hosts_first_key_stays_pending(scratch: Path) -> None:
    numbers = itertools.count()
    for directory in moments(
        lambda: scratch / str(next(numbers)),
        lambda path: lifecycle.init(path, POLICY, NOW, joining=True),
    ):
        lifecycle.init(directory, POLICY, LATER, joining=True)
        assert [entry.state for entry in ring.read(directory / "ring")] == [State.PENDING]


def test_a_rotation_happens_or_does_not(fresh: Callable[[], Path]) -> None:
    outcomes = set()
    for directory in moments(fresh, rotate):
        rings.assert_loads(directory)
        rings.assert_private(directory)
        before = {entry.kid for entry in ring.read(directory / "ring")}
        for copy in recovered_after_kills(directory):
            signs = rings.active(copy)
            for entry in rings.entries(copy, State.RETIRING):
                # Whatever was lost, it is published for as long as its last token may live.
                until = entry.until(POLICY.timing)
                assert until is not None
                assert until >= (entry.times.retired or NOW) + POLICY.timing.grace()
            assert before <= {entry.kid for entry in ring.read(copy / "ring")}
            outcomes.add(signs.times.activated == NOW)
    assert outcomes == {True, False}


def test_a_rotation_that_was_killed_is_not_done_twice(fresh: Callable[[], Path]) -> None:
    for directory in moments(fresh, rotate):
        signs = rings.active(directory).kid
        expected = rings.active(fresh()).kid
        lifecycle.rotate(
            directory, POLICY, LATER, rings.served(directory, START), expected=expected
        )
        rings.assert_valid(directory, LATER)
        assert rings.active(directory).kid == (
            signs if signs != expected else rings.active(directory).kid
        )
        assert len(rings.entries(directory, State.RETIRING)) == 2


def test_a_retired_key_goes_whole_and_leaves_its_line(fresh: Callable[[], Path]) -> None:
    gone = set()
    for directory in moments(fresh, retire):
        rings.assert_loads(directory)
        copy = recovered(directory)
        retiring = rings.entries(copy, State.RETIRING)
        assert len(retiring) + len(removed.load(copy)) == 1
        gone.add(not retiring)
    assert gone == {True, False}


@pytest.mark.parametrize("state", list(State))
def test_an_emergency_goes_on_once_it_was_written_down(
    fresh: Callable[[], Path], state: State
) -> None:
    (kid,) = [entry.kid for entry in rings.entries(fresh(), state)]
    outcomes = set()
    for directory in moments(
        fresh,
        lambda path: lifecycle.emergency(path, POLICY, NOW, rings.served(path, START), kid),
    ):
        rings.assert_loads(directory)
        rings.assert_private(directory)
        decided = {line.kid for line in removed.load(directory)} == {kid}
        copy = recovered(directory)
        left = {entry.kid for entry in ring.read(copy / "ring")}
        assert (kid not in left) is decided
        assert [line.kid for line in removed.load(copy) if line.revoked is False] == (
            [kid] if decided else []
        )
        outcomes.add(decided)
    assert outcomes == {True, False}


def test_another_algorithm_never_leaves_the_ring_without_a_pending_key(
    fresh: Callable[[], Path],
) -> None:
    policy = Policy(Algorithm.ES256, POLICY.timing)
    for directory in moments(fresh, lambda path: lifecycle.prepare(path, policy, NOW)):
        assert rings.entries(directory, State.PENDING)
        assert rings.active(recovered(directory, policy)).public.algorithm is Algorithm.EDDSA


def test_a_ring_without_times_is_taken_over(fresh: Callable[[], Path]) -> None:
    def old() -> Path:
        directory = fresh()
        for entry in ring.read(directory / "ring"):
            if entry.state is State.ACTIVE:
                (entry.path / "times.json").unlink()
            else:
                shutil.rmtree(entry.path)
        return directory

    for directory in moments(old, lambda path: lifecycle.init(path, POLICY, NOW)):
        signs = rings.active(directory).kid
        lifecycle.init(directory, POLICY, LATER)
        rings.assert_valid(directory, LATER)
        assert rings.active(directory).kid == signs
