"""sudo's password stands in no command, and no command reads it in its input."""

from __future__ import annotations

import shlex
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api import StringCommand
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import CommandOutput, OutputLine

from roles import sudo_password
from roles.secrets import SecretError, Source
from roles.sudo_password import SudoError

_PASSWORD = "it's \\ $HOME"


class _Host:
    name = "a.test"

    def __init__(self, *answers: tuple[bool, str]) -> None:
        self.connector_data: dict[str, Any] = {}
        self.ran: list[tuple[str, dict[str, Any]]] = []
        self._answers = list(answers) or [(True, "")]
        self.connector = SSHConnector.__new__(SSHConnector)
        self.connector.run_shell_command = self._plain  # type: ignore[method-assign]
        connected = SimpleNamespace(is_active=lambda: True)
        client = SimpleNamespace(get_transport=lambda: connected)
        self.connector.client = client  # type: ignore[assignment]

    def _plain(
        self, command: StringCommand, *_: object, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        self.ran.append((str(command.get_raw_value()), arguments))
        done, line = self._answers.pop(0)
        if line == "no terminal":
            raise EOFError
        if line == "asked":
            self.connector_data["prompted_sudo_password"] = _PASSWORD
        return done, CommandOutput([OutputLine("stderr", line)])


def _ran(host: _Host, source: Source | None = None, **arguments: Any) -> tuple[str, dict[str, Any]]:
    sudo_password.given(host, source)  # type: ignore[arg-type]
    host.connector.run_shell_command(StringCommand("id"), _sudo=True, **arguments)
    return host.ran[-1]


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setenv("PROBE", _PASSWORD)
    return Source(env="PROBE")


def test_it_is_the_first_line_of_the_input_and_in_no_argument(source: Source) -> None:
    command, arguments = _ran(_Host(), source, _stdin="the rest\n", _timeout=5)
    assert arguments["_stdin"] == [_PASSWORD, "the rest\n"]
    assert arguments["_timeout"] == 5
    assert not {"_sudo", "_sudo_password"} & arguments.keys()
    assert _PASSWORD not in "".join(shlex.split(command))
    assert "sudo -H -A -k sh -c id" in shlex.split(command)[2]


def test_pyinfras_own_argument_is_taken_as_well() -> None:
    command, arguments = _ran(_Host(), _sudo_password=_PASSWORD)
    assert arguments["_stdin"] == [_PASSWORD]
    assert _PASSWORD not in "".join(shlex.split(command))


def test_the_line_is_gone_before_the_command_reads(source: Source) -> None:
    """Where sudo asks for nothing, the password would else be the command's input."""
    command, _ = _ran(_Host(), source)
    script = command.replace("exec sudo -H -A -k sh -c id", "exec cat")
    fed = f"{_PASSWORD}\nthe rest\n"
    assert "exec cat" in script
    assert _shell(script, fed) == "the rest\n"


def test_sudo_is_answered_with_the_line_as_it_is(source: Source) -> None:
    """As sudo does it: the program is run with the prompt as its one argument."""
    command, _ = _ran(_Host(), source)
    asks = '''sh -c "exec \\"\\$SUDO_ASKPASS\\" \\"\\$SUDO_PROMPT\\""'''
    script = command.replace("sudo -H -A -k sh -c id", asks)
    assert asks in script
    assert _shell(script, f"{_PASSWORD}\n") == f"{_PASSWORD}\n"


def _shell(script: str, fed: str) -> str:
    argv = ["sh", "-c", script]
    return subprocess.run(argv, input=fed, capture_output=True, text=True, check=True).stdout


def test_without_one_nothing_is_added() -> None:
    command, arguments = _ran(_Host(), _stdin="all\n")
    assert command == "sudo -H -n sh -c id"
    assert arguments["_stdin"] == "all\n"


def test_one_that_was_asked_for_is_handed_over_the_same_way() -> None:
    host = _Host((False, "asked"), (True, ""))
    _, arguments = _ran(host)
    assert arguments["_stdin"] == [_PASSWORD]
    assert len(host.ran) == 2


@pytest.mark.parametrize(
    "said", ["sudo: 3 incorrect password attempts", "sudo: no password was provided"]
)
def test_a_refused_one_is_an_error_that_does_not_show_it(source: Source, said: str) -> None:
    with pytest.raises(SudoError, match=r"^a\.test: sudo refuses the password") as refused:
        _ran(_Host((False, said)), source)
    assert _PASSWORD not in str(refused.value)


def test_a_command_that_fails_by_itself_is_no_refusal(source: Source) -> None:
    assert _ran(_Host((False, "id: broken")), source)[1]["_stdin"] == [_PASSWORD]


def test_without_a_terminal_to_ask_at_the_way_out_is_named() -> None:
    with pytest.raises(SudoError, match="name where it lies with sudo_password"):
        _ran(_Host((False, "no terminal")))


def test_more_than_a_line_is_refused_before_anything_is_run() -> None:
    """The rest would be read by the command."""
    host = _Host()
    with pytest.raises(SudoError, match="must be one line"):
        _ran(host, _sudo_password="one\ntwo")
    assert host.ran == []


def test_one_that_cannot_be_read_names_host_and_key() -> None:
    with pytest.raises(SecretError, match=r"^a\.test: sudo_password: environment variable"):
        _ran(_Host(), Source(env="PORTCULLIS_NO_SUCH"))
