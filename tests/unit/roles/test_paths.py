"""roles.paths: the fact and the scripts themselves, run here."""

from __future__ import annotations

import getpass
import grp
import os
import subprocess
from pathlib import Path

import pytest
from pyinfra.api import StringCommand

from roles.paths import Directory, PathStates, directories, owned_file

USER, GROUP = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name


def sh(command: StringCommand) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command.get_raw_value()], capture_output=True, text=True, check=False
    )


def states(*paths: Path) -> dict[str, str]:
    fact = PathStates()
    return fact.process(sh(fact.command([str(path) for path in paths])).stdout.splitlines())


def made(monkeypatch: pytest.MonkeyPatch, operation: object, *wanted: object) -> list[str]:
    """Carry out the operation's commands here; give what they complained of, one entry each."""

    class Here:
        @staticmethod
        def get_fact(_: object, paths: list[str]) -> dict[str, str]:
            return states(*map(Path, paths))

        @staticmethod
        def noop(_: str) -> None:
            pass

    monkeypatch.setattr("roles.paths.host", Here)
    return [sh(command).stderr for command in operation._inner(*wanted)]  # type: ignore[attr-defined]


def test_directories_are_made_once_with_their_parents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer" / "in ner's"
    wanted = [
        Directory(str(outer), USER, GROUP, "0711"),
        Directory(str(inner).replace(" ", "-"), USER, GROUP, "2750"),
    ]
    assert made(monkeypatch, directories, wanted) == ["", ""]
    assert made(monkeypatch, directories, wanted) == []
    assert states(outer)[str(outer)] == f"directory {USER}:{GROUP} 0711"


def test_a_setgid_bit_that_is_not_wanted_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = tmp_path / "at"
    at.mkdir()
    at.chmod(0o2755)
    wanted = [Directory(str(at), USER, GROUP)]
    assert made(monkeypatch, directories, wanted) == [""]
    assert made(monkeypatch, directories, wanted) == []


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_in_the_way_of_a_directory_stays_and_is_named(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root must not give away what a link leads to."""
    elsewhere, at = tmp_path / "elsewhere", tmp_path / "at"
    elsewhere.mkdir(0o700)
    at.symlink_to(elsewhere) if kind == "link" else at.touch(0o600)
    before = at.lstat().st_mode, elsewhere.stat().st_mode
    (complaint,) = made(monkeypatch, directories, [Directory(str(at), USER, GROUP)])
    assert complaint == f"{at} is in the way: it is no directory\n"
    assert (at.lstat().st_mode, elsewhere.stat().st_mode) == before


def test_a_file_keeps_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    wanted = (str(log), USER, GROUP, "0640")
    assert made(monkeypatch, owned_file, *wanted) == [""]
    assert made(monkeypatch, owned_file, *wanted) == []
    log.write_text("line\n")
    assert made(monkeypatch, owned_file, *wanted) == []
    log.chmod(0o666)
    assert made(monkeypatch, owned_file, *wanted) == [""]
    assert (log.read_text(), log.stat().st_mode & 0o7777) == ("line\n", 0o640)


def test_no_link_is_followed_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, elsewhere = tmp_path / "log", tmp_path / "elsewhere"
    elsewhere.touch(0o600)
    log.symlink_to(elsewhere)
    (complaint,) = made(monkeypatch, owned_file, str(log), USER, GROUP, "0640")
    assert complaint == f"{log} is in the way: it is no file\n"
    assert elsewhere.stat().st_mode & 0o7777 == 0o600
