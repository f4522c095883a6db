"""served.json, written and read."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from oauth_server.errors import OperatorError
from oauth_server.keys import served
from oauth_server.keys.served import Served, ServedFile
from tests.unit.oauth_server.keys.rings import DAY, START

SECOND = timedelta(seconds=1)


def test_a_kid_keeps_its_time_and_loses_it_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / served.FILE
    file = ServedFile(path)
    file.note(["a"], "a", START)
    file.note(["a", "b"], "a", START + DAY)
    assert served.load(path).since == {"a": {"self": START}, "b": {"self": START + DAY}}
    file.note(["b"], "b", START + 2 * DAY)
    file.note(["a", "b"], "b", START + 3 * DAY)
    assert served.load(path).since["a"] == {"self": START + 3 * DAY}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_it_is_written_when_something_changed_and_otherwise_once_a_minute(tmp_path: Path) -> None:
    path = tmp_path / served.FILE
    file = ServedFile(path)
    inodes = []
    for now in (START, START + 59 * SECOND, START + 60 * SECOND):
        file.note(["a"], "a", now)
        inodes.append(path.stat().st_mtime_ns)
    assert inodes[0] == inodes[1] != inodes[2]
    assert served.load(path).checked == START + 60 * SECOND


def test_neighbours_are_written_beside_oneself(tmp_path: Path) -> None:
    path = tmp_path / served.FILE
    file = ServedFile(path)
    file.note(["a", "b"], "a", START, "auth-1", {"auth-2": ()})
    # Its word counts from when it was heard, and goes on to count.
    for heard in (START + DAY, START + 2 * DAY):
        file.note(["a", "b"], "a", heard, "auth-1", {"auth-2": ("a", "c")})
    hosts = ["auth-1", "auth-2"]
    found = served.load(path, hosts)
    assert found.since == {"a": {"auth-1": START, "auth-2": START + DAY}, "b": {"auth-1": START}}
    assert found.readiness("a", DAY).at == START + 2 * DAY
    assert found.readiness("b", DAY).missing == ["auth-2"]
    assert found.readiness("b", DAY, without=["auth-2"]).holds(START + DAY)


def test_a_key_that_is_gone_here_stays_written_while_another_has_it(tmp_path: Path) -> None:
    """It was removed in an emergency, and the other one is away: nobody has told it."""
    path = tmp_path / served.FILE
    file = ServedFile(path)
    file.note(["a"], "a", START, "auth-1", {"auth-2": ["a"]})
    file.note([], None, START + DAY, "auth-1", {"auth-2": ["a", "c"]})
    assert served.load(path).since == {"a": {"auth-2": START}}
    assert not served.load(path).has_gone("a", START)
    file.note([], None, START + 2 * DAY, "auth-1", {"auth-2": ["c"]})
    found = served.load(path)
    assert found.since == {}
    assert found.has_gone("a", START + 2 * DAY)
    assert not found.has_gone("a", START + 2 * DAY + SECOND)


def test_a_server_that_was_never_asked_is_missing() -> None:
    readiness = Served().readiness("a", DAY)
    assert (readiness.at, readiness.missing) == (None, ["self"])
    assert not readiness.holds(START + 1000 * DAY)


def test_nothing_is_ready_without_a_server() -> None:
    """`--without` everybody: nobody says since when it is served."""
    assert not Served().readiness("a", DAY, without=["self"]).holds(START)


@pytest.mark.parametrize("content", ["", "{}", '{"checked": 1, "active": "a", "served": {}}'])
def test_what_the_server_did_not_write_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / served.FILE
    path.write_text(content)
    with pytest.raises(OperatorError, match="is not what the server writes"):
        served.load(path)
    # The server itself begins anew: later, and so safe.
    ServedFile(path).note(["a"], "a", START)
    assert served.load(path).since == {"a": {"self": START}}


def test_a_file_that_cannot_be_looked_at_is_none_that_is_missing(tmp_path: Path) -> None:
    assert served.load(tmp_path / served.FILE) == Served()
    (tmp_path / "state").touch()
    with pytest.raises(OperatorError, match=r"served\.json: Not a directory"):
        served.load(tmp_path / "state" / served.FILE)
