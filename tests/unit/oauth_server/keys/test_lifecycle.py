"""Each transition, and the second before it."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from oauth_server.errors import OperatorError
from oauth_server.keys import entry, lifecycle, removed, ring
from oauth_server.keys.entry import State
from oauth_server.keys.jose import PublicKey
from oauth_server.keys.lifecycle import NotReadyError
from oauth_server.keys.removed import Reason
from oauth_server.keys.served import Served
from oauth_server.keys.source import FileKeys
from oauth_server.keys.timing import Timing
from oauth_server.keys.transitions import Policy
from oauth_server.models import Algorithm
from tests.unit.oauth_server.keys import rings
from tests.unit.oauth_server.keys.rings import DAY, POLICY, START, active, entries, served

SECOND = timedelta(seconds=1)
CACHE = POLICY.timing.cache


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    directory = tmp_path / "keys"
    lifecycle.init(directory, POLICY, START)
    return directory


def rotate(keys: Path, now: datetime, known: Served | None = None, **options: object) -> str:
    known = served(keys, START) if known is None else known
    return lifecycle.rotate(keys, POLICY, now, known, **options).active  # type: ignore[arg-type]


def test_a_first_key_signs_at_once_and_a_second_is_pending(keys: Path) -> None:
    rings.assert_valid(keys, START)
    assert active(keys).times.activated == START
    assert len(entries(keys, State.PENDING)) == 1


def test_times_are_written_as_documented(keys: Path) -> None:
    written = json.loads((active(keys).path / "times.json").read_text())
    assert written == {
        "algorithm": "EdDSA", "created": "2026-01-01T00:00:00Z",
        "activated": "2026-01-01T00:00:00Z", "longest_lifetime": 600,
    }  # fmt: skip


def test_a_pending_key_signs_when_every_cache_knows_it_and_not_a_second_before(
    keys: Path,
) -> None:
    (pending,) = entries(keys, State.PENDING)
    with pytest.raises(NotReadyError, match="may sign from 2026-01-01T12:00:00Z on") as refused:
        rotate(keys, START + CACHE - SECOND)
    assert refused.value.readiness.at == START + CACHE
    assert active(keys).kid != pending.kid
    assert rotate(keys, START + CACHE) == pending.kid
    rings.assert_valid(keys, START + CACHE)


def test_a_server_that_has_not_served_it_is_named_unless_one_goes_on_without(keys: Path) -> None:
    (pending,) = entries(keys, State.PENDING)
    known = Served({pending.kid: {"auth-1": START}}, hosts=("auth-1", "auth-2"))
    with pytest.raises(NotReadyError, match="not served by auth-2 yet"):
        rotate(keys, START + DAY, known)
    assert rotate(keys, START + DAY, known, without=["auth-2"]) == pending.kid


def test_the_last_server_decides(keys: Path) -> None:
    (pending,) = entries(keys, State.PENDING)
    known = Served(
        {pending.kid: {"auth-1": START, "auth-2": START + DAY}}, hosts=("auth-1", "auth-2")
    )
    with pytest.raises(NotReadyError):
        rotate(keys, START + DAY + CACHE - SECOND, known)
    assert rotate(keys, START + DAY + CACHE, known) == pending.kid


def test_what_nobody_has_served_does_not_sign(keys: Path) -> None:
    with pytest.raises(NotReadyError, match="not served by self yet"):
        rotate(keys, START + 100 * DAY, Served())


def test_the_old_key_stays_without_its_private_half_until_its_last_token_is_over(
    keys: Path,
) -> None:
    old = active(keys)
    now = START + DAY
    rotate(keys, now)
    (retiring,) = entries(keys, State.RETIRING)
    assert retiring.kid == old.kid
    assert not retiring.has_private
    until = now + POLICY.timing.grace()
    assert retiring.until(POLICY.timing) == until
    assert lifecycle.retire(keys, POLICY, until - SECOND).removed == []
    assert lifecycle.retire(keys, POLICY, until).removed == [old.kid]
    (line,) = removed.load(keys)
    assert (line.kid, line.reason, line.removed) == (old.kid, Reason.EXPIRED, until)
    assert line.revoked is None


def test_longer_tokens_of_before_count_and_longer_caches_of_now(keys: Path) -> None:
    """Whatever the settings say today, a token that was signed lives on."""
    long = Policy(POLICY.algorithm, Timing(lifetime=timedelta(hours=20)))
    lifecycle.prepare(keys, long, START + SECOND)
    now = START + DAY
    rotate(keys, now)
    (retiring,) = entries(keys, State.RETIRING)
    assert retiring.until(POLICY.timing) == now + long.timing.grace()
    slow = Timing(cache=timedelta(days=7))
    assert retiring.until(slow) == now + slow.grace(timedelta(hours=20))


def test_two_pending_keys_before_a_rotation_and_one_after_it(keys: Path) -> None:
    """So that at any moment one is pending that every cache knows."""
    second = POLICY.timing.second_pending(START)
    lifecycle.prepare(keys, POLICY, second - SECOND)
    assert len(entries(keys, State.PENDING)) == 1
    lifecycle.prepare(keys, POLICY, second)
    assert len(entries(keys, State.PENDING)) == 2
    due = START + 90 * DAY
    rotate(keys, due, served(keys, second))
    (left,) = entries(keys, State.PENDING)
    assert left.times.created == second
    assert served(keys, second).readiness(left.kid, CACHE).holds(due)


def test_a_rotation_is_due_when_its_days_have_passed(keys: Path) -> None:
    assert lifecycle.due(ring.read(keys / "ring"), POLICY) == START + 90 * DAY


def test_another_algorithm_is_a_rotation_like_any_other(keys: Path) -> None:
    policy = Policy(Algorithm.ES256, POLICY.timing)
    (before,) = entries(keys, State.PENDING)
    old = active(keys)
    lifecycle.prepare(keys, policy, START + DAY)
    (pending,) = entries(keys, State.PENDING)
    assert pending.public.algorithm is Algorithm.ES256
    assert active(keys).kid == old.kid
    assert [(line.kid, line.reason) for line in removed.load(keys)] == [
        (before.kid, Reason.WITHDRAWN)
    ]
    due = lifecycle.due(ring.read(keys / "ring"), policy)
    assert due is not None
    assert due <= START + DAY
    now = START + DAY + CACHE
    done = lifecycle.rotate(keys, policy, now, served(keys, START + DAY))
    assert (done.active, done.previous) == (pending.kid, old.kid)
    rings.assert_valid(keys, now, policy)


def test_a_second_rotation_a_moment_later_is_the_first_one(keys: Path) -> None:
    now = START + DAY
    lifecycle.prepare(keys, POLICY, START + 89 * DAY)  # a second one, which could sign
    signs = rotate(keys, now)
    again = lifecycle.rotate(keys, POLICY, now + 9 * SECOND, served(keys, START))
    assert (again.active, again.happened) == (signs, False)


def test_who_saw_another_key_sign_does_not_rotate_again(keys: Path) -> None:
    first = active(keys).kid
    lifecycle.prepare(keys, POLICY, START + 89 * DAY)
    signs = rotate(keys, START + DAY)
    known = served(keys, START)
    again = lifecycle.rotate(keys, POLICY, START + 2 * DAY, known, expected=first)
    assert (again.active, again.happened) == (signs, False)


def test_rotations_at_once_are_one(keys: Path) -> None:
    """In processes of their own, with two keys that could sign."""
    lifecycle.prepare(keys, POLICY, START + 89 * DAY)
    known, expected = served(keys, START), active(keys).kid
    context = multiprocessing.get_context("spawn")
    with context.Pool(6) as pool:
        done = pool.starmap(_rotate, [(keys, known, expected)] * 6)
    assert sum(happened for _, happened in done) == 1
    assert len({kid for kid, _ in done}) == 1
    assert len(entries(keys, State.RETIRING)) == 1
    rings.assert_valid(keys, START + DAY)


def _rotate(keys: Path, known: Served, expected: str) -> tuple[str, bool]:
    done = lifecycle.rotate(keys, POLICY, START + DAY, known, expected=expected)
    return done.active, done.happened


def test_a_joining_hosts_key_signs_when_the_fleet_has_served_it(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    kid, _ = lifecycle.init(keys, POLICY, START, joining=True)
    assert ring.load(keys).active is None
    assert lifecycle.init(keys, POLICY, START + SECOND)[0] == kid  # whoever asks
    assert ring.load(keys).active is None
    assert rotate(keys, START + CACHE, served(keys, START)) == kid
    rings.assert_valid(keys, START + CACHE)


def test_an_emergency_removes_the_active_key_and_a_known_one_signs(keys: Path) -> None:
    old, (pending,) = active(keys), entries(keys, State.PENDING)
    now = START + DAY
    done = lifecycle.emergency(keys, POLICY, now, served(keys, START), old.kid)
    assert (done.kid, done.state, done.active) == (old.kid, State.ACTIVE, pending.kid)
    assert done.known_from == START + CACHE
    rings.assert_valid(keys, now)
    assert old.kid not in {entry.kid for entry in ring.read(keys / "ring")}
    (line,) = removed.load(keys)
    assert (line.kid, line.until) == (old.kid, now + POLICY.timing.emergency())
    assert line.revoked is False


def test_an_emergency_right_after_a_rotation_still_has_a_key_that_caches_know(keys: Path) -> None:
    second = POLICY.timing.second_pending(START)
    lifecycle.prepare(keys, POLICY, second)
    known = served(keys, second)
    due = START + 90 * DAY
    signs = rotate(keys, due, known)
    done = lifecycle.emergency(keys, POLICY, due + SECOND, known, signs)
    assert done.known_from is not None
    assert done.known_from <= due


def test_an_emergency_without_a_pending_key_makes_one(keys: Path) -> None:
    (pending,) = entries(keys, State.PENDING)
    (pending.path / "private.pem").unlink()
    old = active(keys)
    lifecycle.emergency(keys, POLICY, START + DAY, Served(), old.kid)
    assert active(keys).kid not in {old.kid, pending.kid}
    rings.assert_valid(keys, START + DAY)


@pytest.mark.parametrize("state", [State.PENDING, State.RETIRING])
def test_an_emergency_of_another_key_leaves_the_active_one(keys: Path, state: State) -> None:
    rotate(keys, START + DAY)
    signs, (gone,) = active(keys), entries(keys, state)
    lifecycle.emergency(keys, POLICY, START + DAY, served(keys, START), gone.kid)
    assert active(keys).kid == signs.kid
    assert gone.kid not in {entry.kid for entry in ring.read(keys / "ring")}
    rings.assert_valid(keys, START + DAY)


def test_a_key_that_is_not_there_is_named(keys: Path) -> None:
    with pytest.raises(OperatorError, match="has no key nothing"):
        lifecycle.emergency(keys, POLICY, START, Served(), "nothing")


class LostToken(FileKeys):
    """A token that is away when its key is to be destroyed."""

    def destroy(self, entry: Path) -> None:
        raise OperatorError(f"{entry.name}: the token is gone")


@pytest.mark.parametrize(
    "problem", [OperatorError("token: away"), OSError(errno.ENOSPC, "No space left on device")]
)
@pytest.mark.parametrize("change", ["rotation", "emergency"])
def test_what_is_done_is_told_even_if_no_new_key_can_be_made(
    keys: Path, problem: Exception, change: str
) -> None:
    """Nobody would hear otherwise that the key is gone, the store neither."""

    class Away(FileKeys):
        def generate(self, algorithm: Algorithm, staging: Path) -> PublicKey:  # noqa: ARG002
            raise problem

    policy, now = Policy(POLICY.algorithm, POLICY.timing, Away()), START + DAY
    old, known = active(keys).kid, served(keys, START)
    if change == "rotation":
        done = lifecycle.rotate(keys, policy, now, known)
        assert (done.previous, done.happened) == (old, True)
        notes = done.notes
    else:
        notes = lifecycle.emergency(keys, policy, now, known, old).notes
        assert [line.kid for line in removed.load(keys) if line.revoked is False] == [old]
    assert active(keys).kid != old
    (note,) = notes
    assert note.startswith("there is no new pending key yet: ")
    assert lifecycle.prepare(keys, POLICY, now) == []
    assert len(entries(keys, State.PENDING)) == 1


def test_a_token_that_is_away_stops_no_emergency(keys: Path) -> None:
    """Its key is destroyed when it is back."""
    old = active(keys)
    away = Policy(POLICY.algorithm, POLICY.timing, LostToken())
    done = lifecycle.emergency(keys, away, START + DAY, served(keys, START), old.kid)
    assert any("the token is gone" in note for note in done.notes)
    assert ring.load(keys).signs_with != (old.kid, Algorithm.EDDSA)
    assert (keys / "ring" / f".gone-{old.kid}").is_dir()
    lifecycle.prepare(keys, POLICY, START + DAY)
    rings.assert_valid(keys, START + DAY)


def test_a_pending_key_that_cannot_sign_does_not(keys: Path) -> None:
    (pending,) = entries(keys, State.PENDING)
    (pending.path / "private.pem").write_bytes((active(keys).path / "private.pem").read_bytes())
    with pytest.raises(OperatorError, match="is not the private key of"):
        rotate(keys, START + DAY)
    assert active(keys).kid != pending.kid


def test_times_that_nobody_wrote_are_refused(keys: Path) -> None:
    path = active(keys).path / "times.json"
    path.write_text('{"algorithm": "EdDSA", "created": "yesterday"}')
    with pytest.raises(OperatorError, match=f"{path}: is not what the ring writes"):
        lifecycle.prepare(keys, POLICY, START)


def test_an_old_ring_is_taken_over_with_its_key(keys: Path) -> None:
    signs = active(keys)
    (signs.path / "times.json").unlink()
    made = datetime(2025, 6, 1, tzinfo=timezone.utc)
    os.utime(signs.path / "private.pem", (made.timestamp(),) * 2)
    lifecycle.init(keys, POLICY, START)
    assert active(keys).kid == signs.kid
    assert active(keys).times.created == made
    assert active(keys).times.activated == made
    assert lifecycle.due(ring.read(keys / "ring"), POLICY) == made + 90 * DAY


def test_only_the_last_hundred_removed_keys_are_remembered(keys: Path) -> None:
    entry = active(keys)
    lines = [
        removed.Removed(
            kid=str(number), algorithm=Algorithm.EDDSA, created=START, removed=START,
            reason=Reason.EXPIRED,
        )
        for number in range(120)
    ]  # fmt: skip
    removed._save(keys, lines)
    removed.add(keys, entry, Reason.EMERGENCY, START)
    kids = [line.kid for line in removed.load(keys)]
    assert len(kids) == 100
    assert kids[-2:] == ["119", entry.kid]


@pytest.mark.parametrize("left", ["nothing", "an empty ring"])
def test_a_ring_that_was_lost_is_not_made_anew_by_the_timer(keys: Path, left: str) -> None:
    """Without a key that signs it would look like a joining host's."""
    shutil.rmtree(keys / "ring")
    if left != "nothing":
        (keys / "ring").mkdir()
    for change in (lifecycle.prepare, lifecycle.retire):
        with pytest.raises(OperatorError, match="`oauth-server keys init` makes"):
            change(keys, POLICY, START)
    with pytest.raises(OperatorError, match="`oauth-server keys init` makes"):
        rotate(keys, START, Served())
    assert not list(keys.glob("ring/*"))


def test_times_are_written_rather_late_than_early() -> None:
    """What is waited for is counted from them."""
    half = timedelta(milliseconds=500)
    assert entry.moment(START) == START
    assert entry.moment(START + half) == START + 2 * half
