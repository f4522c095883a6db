"""roles.oauth_server.preview: the server's word on its files, asked once for the same files."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from roles.errors import DeployError
from roles.oauth_server import preview
from roles.oauth_server.release import server_files

CLIENTS = '{"clients": []}\n'
SETTINGS = "issuer: https://auth.example.net\n"


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The times that the program was started; each look is a new run's."""
    started: list[object] = []
    run = subprocess.run

    def counted(*arguments: Any, **named: Any) -> Any:
        started.append(arguments)
        return run(*arguments, **named)

    monkeypatch.setattr(preview, "_PASSED", tmp_path / "passed")
    monkeypatch.setattr(subprocess, "run", counted)
    return started


def check(settings: str = SETTINGS, clients: str = CLIENTS) -> None:
    preview._faults.cache_clear()
    preview.check("auth1", settings, clients, None)


def test_files_that_passed_are_not_judged_again(starts: list[object]) -> None:
    check()
    check()
    assert len(starts) == 1
    check(settings=f"{SETTINGS}code_timeout: 30\n")
    assert len(starts) == 2


def test_files_with_a_fault_are_judged_in_each_run(starts: list[object]) -> None:
    for _ in range(2):
        with pytest.raises(DeployError, match=r"auth1: .*clients\.json"):
            check(clients='{"clients": [{}]}\n')
    assert len(starts) == 2


def test_another_server_judges_anew(starts: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    check()
    files = server_files()
    monkeypatch.setattr(preview, "server_files", lambda: files[1:])
    check()
    assert len(starts) == 2


def test_nothing_of_the_files_is_kept(starts: list[object], tmp_path: Path) -> None:
    check()
    (kept,) = (tmp_path / "passed").iterdir()
    assert (kept.stat().st_size, len(kept.name), len(starts)) == (0, 64, 1)
