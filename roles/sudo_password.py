"""sudo with a password, which travels on standard input and stands in no argument list.

pyinfra writes it into the command that it sends: whoever may list processes on the host reads it
there for a moment, and an audit log keeps it (pyinfra 3.10, `_sudo_password`). It also needs a
script of its own in /tmp, which a /tmp without exec does not run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from pyinfra.api import Host, QuoteString, StringCommand
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import CommandOutput, make_unix_command

from roles.errors import DeployError
from roles.secrets import Source

# The first line is taken off before anything else reads: where sudo wants no password, no command
# finds one in its input. printenv gets sudo's prompt as its argument and prints the variable of
# that name, which only this account and root can see; sudo passes it on to no command.
_ASK = (
    "IFS= read -r SUDO_SECRET && export SUDO_SECRET &&"
    " SUDO_ASKPASS=/usr/bin/printenv SUDO_PROMPT=SUDO_SECRET exec"
)
_REFUSED = re.compile(r"sudo: (\d+ incorrect password attempts?|no password was provided)")
_KEPT = "prompted_sudo_password"  # where pyinfra keeps what it asked for
_GIVEN = "sudo_password_given"
_CONTROL = ("_get_pty", "_stdin", "_success_exit_codes", "_timeout")

Ran = tuple[bool, CommandOutput]


class SudoError(DeployError):
    """sudo wants a password, and there is none or a wrong one."""


def given(host: Host, source: Source | None) -> None:
    """Have all that follows on this host give sudo the password that `source` names.

    Without a source it is pyinfra's `_sudo_password`, or what pyinfra asks for at the terminal.
    Raises SecretError if it cannot be read.
    """
    if _GIVEN in host.connector_data:
        return
    host.connector_data[_GIVEN] = True
    if source is not None:
        wanted = f"{host.name}: sudo_password"
        host.connector_data[_KEPT] = source.read(wanted).unmask()
    connector = host.connector
    if isinstance(connector, SSHConnector):
        run = feeding(connector.run_shell_command, host)
        connector.run_shell_command = run  # type: ignore[method-assign]


def feeding(plain: Callable[..., Ran], host: Host) -> Callable[..., Ran]:
    """What stands in the place of an SSHConnector's `run_shell_command`, `plain`."""
    return partial(_run, plain, host)


def known(host: Host) -> str | None:
    """What `given` has read or pyinfra has asked for, if anything."""
    return host.connector_data.get(_KEPT)


def through_sudo(
    host: Host, command: StringCommand, arguments: dict[str, Any], password: str | None
) -> tuple[StringCommand, list[str]]:
    """The command as it is sent, and the lines that its standard input has to begin with."""
    inner = make_unix_command(command, **arguments, _sudo_password=bool(password))
    if not password:
        return inner, []
    return StringCommand("sh -c", QuoteString(StringCommand(_ASK, inner))), [_line(host, password)]


def check_accepted(host: Host, output: CommandOutput) -> None:
    """Raise SudoError if a command failed because sudo refused the password."""
    if any(map(_REFUSED.fullmatch, output.stderr_lines)):
        raise SudoError(f"{host.name}: sudo refuses the password that it was given")


def _run(
    plain: Callable[..., Ran],
    host: Host,
    command: StringCommand,
    print_output: bool = False,
    print_input: bool = False,
    **arguments: Any,
) -> Ran:
    """In the place of SSHConnector.run_shell_command, `plain`: it sees no password and no sudo."""
    if not arguments.get("_sudo"):
        return plain(command, print_output, print_input, **arguments)
    own = arguments.pop("_sudo_password", None)
    control = {name: arguments.pop(name) for name in _CONTROL if name in arguments}

    def attempt(password: str | None) -> Ran:
        inner, first = through_sudo(host, command, arguments, password)
        fed = {**control, "_stdin": [*first, *_lines(control.get("_stdin"))]} if first else control
        # Without a path pyinfra writes `sudo -A` and leaves the rest to us.
        return plain(inner, print_output, print_input, **fed, _shell_executable=None)

    password = own or known(host)
    try:
        done, output = attempt(password)
    except EOFError:
        if _is_lost(host):
            raise
        # pyinfra asked, and there is no terminal
        raise SudoError(
            f"{host.name}: sudo wants a password: name where it lies with sudo_password, or run "
            "this at a terminal, where it is asked for"
        ) from None
    if not password and (asked := known(host)):
        done, output = attempt(asked)
    if not done:
        check_accepted(host, output)
    return done, output


def _is_lost(host: Host) -> bool:
    client = host.connector.client if isinstance(host.connector, SSHConnector) else None
    transport = client.get_transport() if client else None
    return transport is not None and not transport.is_active()


def _line(host: Host, password: str) -> str:
    if "\n" in password:
        raise SudoError(f"{host.name}: sudo's password must be one line")
    return password


def _lines(stdin: Any) -> list[str]:
    return [stdin] if isinstance(stdin, str) else list(stdin or ())
