"""`oauth-server keys emergency`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oauth_server.cli import keys as commands
from oauth_server.cli import keys_emergency
from oauth_server.errors import OperatorError
from oauth_server.keys import removed
from oauth_server.keys.entry import State
from oauth_server.keys.removed import Reason
from oauth_server.keys.revoking import Revocation
from tests.unit.oauth_server.cli_site import NOW, Output, Site, site
from tests.unit.oauth_server.keys import rings

__all__ = ["site"]


def test_an_emergency_says_who_may_still_believe_the_key(site: Site, capsys: Output) -> None:
    stolen = site.kid(State.ACTIVE)
    assert site.run("emergency", "--", stolen[:8]) == 0
    said = capsys.readouterr().out
    for line in (
        "until 2026-11-25T12:05:00Z", "until 2026-11-25T12:10:00Z", "until 2026-11-26T00:00:00Z",
        "refuses at once", "has expired by 2026-11-25T12:10:30Z",
        "The revocation lasts until 2026-11-26T00:18:30Z, and for longer",
        "Not every cache knows it", f"{stolen}: what it signed is revoked",
    ):  # fmt: skip
        assert line in said
    assert [line.revoked for line in removed.load(site.keys)] == [True]


def test_the_timer_keeps_a_key_revoked_until_no_server_publishes_it(
    site: Site, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    async def revoke(_: object, __: object, one: Revocation) -> None:
        told.append(one.kid)

    stolen = site.kid(State.ACTIVE)
    monkeypatch.setattr(keys_emergency, "_revoke", revoke)
    site.serve(NOW)
    site.run("emergency", "--", stolen)
    for _ in range(2):  # the server does not say that it has seen it
        site.run("rotate", "--if-due")
    assert told == 3 * [stolen]
    assert capsys.readouterr().out.count("what it signed is revoked") == 1
    site.serve(NOW + timedelta(minutes=1))
    for _ in range(2):  # once more, for who asked the server last
        site.run("rotate", "--if-due")
    assert len(told) == 4


@pytest.mark.parametrize(
    ("named", "problem"), [("nothing", "there is no key nothing"), ("", "there is no key ")]
)
def test_a_key_that_is_not_there_is_no_emergency(
    site: Site, capsys: Output, named: str, problem: str
) -> None:
    assert site.run("emergency", "--", named) == 1
    assert problem in capsys.readouterr().err


def test_who_tries_an_emergency_again_loses_no_second_key(site: Site, capsys: Output) -> None:
    """After an error of the store, say, which it does not say again."""
    stolen, successor = site.kid(State.ACTIVE), site.kid(State.PENDING)
    assert site.run("emergency", "active") == 0
    assert site.run("emergency", "active") == 1
    problem = capsys.readouterr().err
    assert f"{stolen} signed until 2026-11-25T12:00:00Z, and was removed" in problem
    assert site.kid(State.ACTIVE) == successor
    assert site.run("emergency", "--", stolen[:8]) == 0
    assert capsys.readouterr().out == (
        f"{stolen} was removed in an emergency at 2026-11-25T12:00:00Z\n"
    )
    assert site.run("emergency", "--", successor) == 0
    site.now += timedelta(hours=1)
    assert site.run("emergency", "active") == 0


def test_an_emergency_that_was_killed_is_finished_by_the_same_command(
    site: Site, capsys: Output
) -> None:
    stolen, successor = site.kid(State.ACTIVE), site.kid(State.PENDING)
    (entry,) = rings.entries(site.keys, State.ACTIVE)
    removed.add(site.keys, entry, Reason.EMERGENCY, site.now)
    assert site.run("emergency", "--", stolen) == 0
    assert "what it signed is revoked" in capsys.readouterr().out
    assert site.kid(State.ACTIVE) == successor


def test_the_store_is_told_of_an_emergency_that_nobody_can_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> None:
        raise OperatorError("standard output: Broken pipe")

    monkeypatch.setattr(commands, "say", broken)
    assert site.run("emergency", "active") == 1
    assert all(one.revoked for one in removed.load(site.keys))


def test_the_beginning_of_two_kids_names_neither() -> None:
    class Named:
        def __init__(self, kid: str) -> None:
            self.kid, self.is_active = kid, False

    with pytest.raises(OperatorError, match="is the beginning of several: abc, abd"):
        keys_emergency.resolve("ab", [Named("abc"), Named("abd")])  # type: ignore[list-item]
    assert keys_emergency.resolve("abc", [Named("abc"), Named("abd")]) == "abc"  # type: ignore[list-item]


_DASHED = "-" + "Ab3_-f" * 7


@pytest.mark.parametrize(
    "arguments",
    [
        (_DASHED,), (_DASHED, "--dry-run"), ("--dry-run", _DASHED), ("--", _DASHED),
        ("--dry-run", "--", _DASHED),
    ],
)  # fmt: skip
def test_a_kid_that_begins_as_an_option_does_is_a_kid(
    site: Site, capsys: Output, arguments: tuple[str, ...]
) -> None:
    assert site.run("emergency", *arguments) == 1
    assert f"there is no key {_DASHED};" in capsys.readouterr().err


def test_the_beginning_of_a_kid_that_begins_so_goes_after_two_hyphens(
    site: Site, capsys: Output
) -> None:
    with pytest.raises(SystemExit):
        site.run("emergency", "-abc")
    capsys.readouterr()
    assert site.run("emergency", "--", "-abc") == 1
    assert "there is no key -abc" in capsys.readouterr().err
