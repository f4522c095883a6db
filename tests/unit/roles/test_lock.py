"""roles.lock: when it is taken, and what it says of who holds it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import cast

import pytest
from pyinfra.api import State

from roles import lock
from roles.lock_script import SCRIPT


@dataclass(frozen=True)
class Planned:
    """As much of pyinfra's state as the choice needs."""

    check_for_changes: bool = True

    @property
    def state(self) -> State:
        return cast("State", self)


@pytest.mark.parametrize(
    ("arguments", "yes"),
    [
        pytest.param(["--dry"], False, id="dry"),
        pytest.param(["--dry", "-y"], True, id="dry-wins-over-yes"),
        pytest.param(["--debug-operations"], False, id="debug-operations"),
        pytest.param(["--json"], False, id="json-without-yes"),
    ],
)
def test_a_run_that_only_plans_takes_no_lock(
    arguments: list[str], yes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["pyinfra", *arguments, "hosts.py", "deploy.py"])
    assert lock.only_plans(Planned(check_for_changes=not yes).state)


@pytest.mark.parametrize(
    ("arguments", "yes"),
    [
        pytest.param([], False, id="asks"),
        pytest.param(["-y"], True, id="yes"),
        pytest.param(["--json", "--yes"], True, id="json-with-yes"),
        pytest.param(["--limit", "dry"], False, id="a-host-named-dry"),
    ],
)
def test_a_run_that_may_change_something_takes_one(
    arguments: list[str], yes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["pyinfra", *arguments, "hosts.py", "deploy.py"])
    assert not lock.only_plans(Planned(check_for_changes=not yes).state)


@pytest.mark.parametrize("user", ["ada", "a'; reboot; '", "ada\nbusy root", "\u00e4da", "a\tb"])
def test_who_holds_it_is_one_line_of_plain_characters(
    user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "getuser", lambda: user)
    assert re.fullmatch(r"[A-Za-z0-9._@?-]+, process [0-9]+", lock.who())


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(lock, "getuser", nameless)
    assert re.match(r"[0-9]+@", lock.who())


def test_the_program_that_holds_it_is_sound_shell() -> None:
    checked = subprocess.run(["bash", "-n"], input=SCRIPT, text=True, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, "")
