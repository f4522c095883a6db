"""How a host is asked: many commands in one connection, and an answer for each."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.audit.subject import (
    Answer,
    Subject,
    UnreachableError,
    address_of,
    parse,
    script,
    states_of,
)
from tests.audit.verdict import must_equal

MARK = "0123456789abcdef"


def _ask(*commands: str) -> list[tuple[int, str]]:
    shell = script(list(commands), MARK)
    said = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)
    return list(parse(said.stdout, MARK))


class _ThisMachine:
    """testinfra's host, as far as a subject uses it: this machine, and it counts."""

    def __init__(self) -> None:
        self.runs = 0
        self.backend = SimpleNamespace(get_hostname=lambda: "web")

    def run(self, command: str, *arguments: str) -> Any:
        assert command == "sh -c %s"
        self.runs += 1
        return subprocess.run(["sh", "-c", *arguments], capture_output=True, text=True, check=False)


class _NoRoute(_ThisMachine):
    """As testinfra says that ssh ended with 255."""

    def run(self, command: str, *arguments: str) -> Any:  # noqa: ARG002 - testinfra's signature
        self.runs += 1
        raise RuntimeError(SimpleNamespace(stdout="", stderr="ssh: no route\n"))


def test_each_command_has_its_own_output_and_status() -> None:
    assert _ask("echo one; echo two", "echo oops >&2; exit 3", "printf 'no newline'", "true") == [
        (0, "one\ntwo\n"),
        (3, "oops\n"),
        (0, "no newline"),
        (0, ""),
    ]


def test_a_command_with_a_fault_spoils_no_other() -> None:
    """Not a syntax error, an exit, a read of standard input, nor quotes of all kinds."""
    answers = _ask("if", "exit 1", "cat", """echo "a'b" '"$c"'""", "echo last")
    assert [status for status, _ in answers] == [2, 1, 0, 0, 0]
    assert [text for _, text in answers[2:]] == ["", 'a\'b "$c"\n', "last\n"]


def test_a_host_is_asked_once_for_everything() -> None:
    machine = _ThisMachine()
    questions = {"a": {"x": "echo 1", "y": "echo 2"}, "b": {"x": "echo 3"}}
    subject = Subject(machine, questions, "https://192.0.2.7", "192.0.2.7")
    assert [subject.answers("a")["y"].output, subject.answers("b")["x"].output] == ["2\n", "3\n"]
    assert machine.runs == 1


def test_an_issuer_that_was_given_is_not_looked_up() -> None:
    subject = Subject(_ThisMachine(), {}, "https://auth.example.com", "192.0.2.7")
    assert subject.issuer_host == "auth.example.com"


def test_a_host_that_cannot_be_reached_is_tried_once_and_says_why() -> None:
    machine = _NoRoute()
    subject = Subject(machine, {}, None, "")
    for _ in range(2):
        with pytest.raises(UnreachableError, match=r"^web cannot be asked: ssh: no route$"):
            subject.answers("")
    assert machine.runs == 1


def test_states_tell_owner_group_mode_and_type(tmp_path: Path) -> None:
    (tmp_path / "it's").touch(mode=0o600)
    (tmp_path / "link").symlink_to("nowhere")
    paths = [str(tmp_path / name) for name in ("it's", "link", "missing")]
    [(status, text)] = _ask(states_of(*paths))
    states = Answer("", status, text, privileged=True).states
    me = f"{tmp_path.owner()}:{tmp_path.group()}"
    assert states == {
        paths[0]: f"{me} 0600 regular file",
        paths[1]: f"{me} 0777 symbolic link",
        paths[2]: "missing",
    }


@pytest.mark.parametrize(
    "said",
    [
        "stat: cannot statx '/a': Permission denied\n/a|missing\n",
        "sh: 1: cd: can't cd to /etc/oauth2/keys\n",
    ],
)
def test_what_the_account_may_not_see_is_not_checked(said: str) -> None:
    """A skip is no pass; for root the same words are a failure."""
    with pytest.raises(pytest.skip.Exception, match="not checked: this account may not look"):
        _ = Answer("", 0 if "missing" in said else 2, said, privileged=False).states
    if "missing" not in said:
        with pytest.raises(pytest.fail.Exception, match="a command failed with status 2"):
            _ = Answer("", 2, said, privileged=True).states


def test_a_failed_command_is_a_failure_that_shows_what_it_said() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"command: false\n  said:    nothing"):
        _ = Answer("false", 1, "", privileged=False).output


def test_units_are_told_apart() -> None:
    text = "Id=a.service\nActiveState=active\n\nId=b.service\nActiveState=failed\n"
    units = Answer("", 0, text, privileged=True).units
    assert [units[unit]["ActiveState"] for unit in ("a.service", "b.service")] == [
        "active",
        "failed",
    ]


def test_the_address_is_where_ssh_would_connect_to(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host web\n    HostName 192.0.2.7\n")
    assert address_of("web", str(config)) == "192.0.2.7"
    assert address_of("other.example.com", str(config)) == "other.example.com"


def test_a_verdict_shows_what_was_expected_and_seen_and_only_what_differs() -> None:
    with pytest.raises(pytest.fail.Exception) as failed:
        must_equal("the modes must be", seen={"a": 1, "b": 2, "x": 0}, expected={"a": 1, "b": 3})
    assert str(failed.value).splitlines() == [
        "the modes must be",
        *("  b", "    expected: 3", "    seen:     2"),
        *("  x", "    expected: nothing", "    seen:     0"),
    ]
