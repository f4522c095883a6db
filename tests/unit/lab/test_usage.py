"""The lab's command line: what is refused, and with which exit code."""

import sys
from collections.abc import Callable

import pytest

from tests.lab import __main__ as command_line
from tests.lab import kinds, lab, prerequisites, record
from tests.lab.machine import LabError, UnsuitableMachineError

Run = Callable[..., int]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Take the place of what makes a lab, as root, and keep what it was asked for."""
    calls: list[object] = []

    def up(name: str, wanted: list[str] | None) -> record.LabRecord:
        calls.append((name, wanted))
        return record.LabRecord(name, "/checkout", "10.213.0.0/24", "", "", "")

    monkeypatch.setattr(prerequisites, "require_root", lambda: None)
    monkeypatch.setattr(lab, "up", up)
    return calls


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["lab", *arguments])
        try:
            return command_line.main()
        except SystemExit as error:  # argparse's own way to end
            return int(error.code or 0)

    return run


def test_the_hosts_are_those_that_were_asked_for(run: Run, asked: list[object]) -> None:
    assert run("up", "--name", "a", "--hosts", "2", "--kind", "ubuntu-22.04-layout") == 0
    assert run("up", "--name", "b", "--hosts", "debian-12,ubuntu-22.04-layout") == 0
    assert run("up") == 0
    assert asked == [
        ("a", ["ubuntu-22.04-layout"] * 2),
        ("b", ["debian-12", "ubuntu-22.04-layout"]),
        ("lab", None),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "--name", "My-Lab"], "lab: 'My-Lab' cannot name a lab"),
        (["token", "--name", ""], "lab: '' cannot name a lab"),
        (["up", "--hosts", "0"], "lab: a lab has 1 to 32 hosts, not 0"),
        (["up", "--hosts", ""], "lab: '' is no kind of host"),
        (["tour", "--kind", "ubuntu"], "lab: 'ubuntu' is no kind of host; there are: debian-12, "),
        (["up", "--hosts", "debian-12", "--kind", "debian-12"], "name each one's kind already"),
        (["up", "--host", "1", "--colour"], "unrecognized arguments: --colour"),
        (["fly"], "invalid choice: 'fly'"),
        ([], "COMMAND"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_done(
    arguments: list[str],
    said: str,
    run: Run,
    asked: list[object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no_root() -> None:
        raise UnsuitableMachineError("a lab needs root")

    monkeypatch.setattr(prerequisites, "require_root", no_root)
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LabError("no space left"), 1),
        (OSError(28, "No space left on device"), 1),
        (UnsuitableMachineError("no bridges"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_other_end_has_its_exit_code_and_one_line(
    error: BaseException,
    status: int,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(prerequisites, "require_root", lambda: None)
    monkeypatch.setattr(lab, "up", fail)
    assert run("up") == status
    said = capsys.readouterr().err
    assert said.startswith("lab: ")
    assert len(said.splitlines()) == 1


def test_help_lists_the_kinds(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("up", "--help") == 0
    shown = capsys.readouterr().out
    assert [kind for kind in kinds.KINDS if kind not in shown] == []
