"""What the store is told of a key that an emergency removed, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from oauth_server.keys import lifecycle, removed, revoking
from oauth_server.keys.revoking import Revocation
from oauth_server.keys.served import Served
from tests.unit.oauth_server.keys.rings import DAY, POLICY, START, active, served

SECOND = timedelta(seconds=1)
NOW = START + DAY
GONE = Served(checked=NOW)
"""What the server wrote when it had seen the ring without the key."""


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    directory = tmp_path / "keys"
    lifecycle.init(directory, POLICY, START)
    return directory


def removed_now(keys: Path) -> str:
    kid = active(keys).kid
    lifecycle.emergency(keys, POLICY, NOW, served(keys, START), kid)
    return kid


def to_revoke(keys: Path, now: datetime, said: Served) -> Revocation | None:
    found = revoking.to_revoke(keys, POLICY, now, said)
    return found[0] if found else None


def test_what_was_killed_is_revoked_from_when_it_is_finished(keys: Path) -> None:
    """The key was published, and believed, until then."""
    kid = removed_now(keys)
    for later in (timedelta(0), DAY):
        found = to_revoke(keys, NOW + later, GONE)
        until = NOW + later + POLICY.timing.emergency()
        assert found == Revocation(kid, until, known=False, last=True)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(Served(), id="the server never ran"),
        pytest.param(Served(checked=NOW - SECOND), id="the server has not looked since"),
        pytest.param(
            Served({"KID": {"self": START}}, checked=NOW + DAY), id="the server has it still"
        ),
        pytest.param(
            Served({"KID": {"two": START}}, checked=NOW + DAY), id="another may have it still"
        ),
    ],
)
def test_a_key_is_revoked_anew_while_somebody_may_publish_it_and_once_more_then(
    keys: Path, said: Served
) -> None:
    """A cache may ask a server that cannot read its ring, or one that comes back, at any time."""
    kid = removed_now(keys)
    if "KID" in said.since:
        said = replace(said, since={kid: said.since["KID"]})
    for later in range(3):
        now = NOW + later * DAY
        found = to_revoke(keys, now, said)
        until = now + POLICY.timing.emergency()
        assert found == Revocation(kid, until, known=later > 0, last=False)
        revoking.note(keys, found)
    found = to_revoke(keys, NOW + 9 * DAY, GONE)
    until = NOW + 9 * DAY + POLICY.timing.emergency()
    assert found == Revocation(kid, until, known=True, last=True)
    revoking.note(keys, found)
    assert to_revoke(keys, NOW + 9 * DAY, GONE) is None
    assert to_revoke(keys, NOW + 9 * DAY, said) is None


def test_what_is_not_noted_is_told_again(keys: Path) -> None:
    """The store may be away, or whoever told it was killed."""
    removed_now(keys)
    first = to_revoke(keys, NOW, GONE)
    assert first is not None
    assert to_revoke(keys, NOW, GONE) == first
    assert [line.revoked for line in removed.load(keys)] == [False]
    revoking.note(keys, first)
    assert [line.revoked for line in removed.load(keys)] == [True]
