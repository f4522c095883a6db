"""What is said on a machine that cannot hold a lab."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab import __main__ as command_line
from tests.lab import places, prerequisites


@pytest.fixture
def capable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bool]:
    """Pretend to be root on a machine that has every program and allows everything."""
    programs: dict[str, bool] = {}
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(
        shutil, "which", lambda name: f"/usr/bin/{name}" if programs.get(name, True) else None
    )
    monkeypatch.setattr(
        prerequisites, "attempt", lambda *argv: subprocess.CompletedProcess(argv, 0, "", "")
    )
    monkeypatch.setattr(prerequisites, "_KEYRING", Path(__file__))
    monkeypatch.setattr(places, "CACHE", tmp_path)
    return programs


@pytest.mark.usefixtures("capable")
def test_a_capable_machine_lacks_nothing() -> None:
    assert prerequisites.missing() is None


@pytest.mark.parametrize("command", ["up", "tour", "ssh", "down", "list", "clean"])
def test_without_root_every_command_says_so_and_what_works_instead(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("sys.argv", ["lab", command, *(["lab-1"] if command == "ssh" else [])])
    assert command_line.main() == 3
    said = capsys.readouterr().err
    assert "needs root" in said
    assert "make test" in said
    assert "serve --dev" in said


def test_without_apt_the_missing_packages_are_named(capable: dict[str, bool]) -> None:
    capable |= {"apt-get": False, "systemd-nspawn": False, "mmdebstrap": False}
    reason = prerequisites.missing()
    assert reason is not None
    assert "mmdebstrap, systemd-container" in reason


def test_with_apt_they_are_installed_and_nothing_else(
    capable: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    capable["mmdebstrap"] = False
    calls = []

    def attempt(*argv: str) -> subprocess.CompletedProcess[str]:
        calls.append(argv)
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setattr(prerequisites, "attempt", attempt)
    prerequisites.provide()
    assert calls[0][-4:] == ("install", "--yes", "--no-install-recommends", "mmdebstrap")


def test_what_only_some_kinds_need_is_installed_for_them_alone(
    capable: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    capable["rpmbuild"] = False
    installed: list[list[str]] = []
    monkeypatch.setattr(prerequisites, "_install", installed.append)
    prerequisites.provide()
    prerequisites.have({"rpmbuild": "rpm", "createrepo_c": "createrepo-c"})
    assert installed == [["rpm"]]


@pytest.mark.usefixtures("capable")
@pytest.mark.parametrize(
    ("refused", "named"),
    [("true", "namespaces"), ("bridge", "network bridges"), ("overlay", "overlay mounts")],
)
def test_what_the_kernel_refuses_is_named(
    refused: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attempt(*argv: str) -> subprocess.CompletedProcess[str]:
        status = 1 if refused in argv[-1] else 0
        return subprocess.CompletedProcess(argv, status, "", "Operation not permitted")

    monkeypatch.setattr(prerequisites, "attempt", attempt)
    reason = prerequisites.missing()
    assert reason is not None
    assert f"a lab needs {named}" in reason
    assert "Operation not permitted" in reason


@pytest.mark.usefixtures("capable")
def test_of_labs_that_come_up_at_once_one_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited looks again, and finds that nothing is missing any more."""
    answers = iter([["mmdebstrap"], ["mmdebstrap"], []])
    installed: list[list[str]] = []
    monkeypatch.setattr(prerequisites, "_absent_packages", lambda: next(answers))
    monkeypatch.setattr(prerequisites, "_install", installed.append)
    prerequisites.provide()
    assert installed == [[]]
