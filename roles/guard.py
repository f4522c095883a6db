"""Changes that could cut SSH: undone by the host itself, unless this run comes back and confirms.

A change is made live first. A timer on the host undoes it after WINDOW seconds; a command over a
new connection, with its own login, disarms the timer. Only then is written what a reboot would
apply. An open connection proves nothing: most rules let in what is established.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import gevent
from paramiko import SSHException
from pyinfra.api import Host, QuoteString, State, StringCommand
from pyinfra.api.arguments import ConnectorArguments
from pyinfra.api.exceptions import ConnectError
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import CommandOutput, OutputLine
from typing_extensions import override

from roles import sudo_password
from roles.errors import DeployError
from roles.sudo_password import Ran

WINDOW = 20
"""Seconds that the host waits; the old connection comes back before its lock ends (LEASE)."""

# When the host has undone the change, this side is to hear so: a login may take a while.
_PATIENCE = WINDOW + 25
_PAUSE = 1.0

# Whoever renames the directory, timer or confirmation, has decided: there is no state in between.
_ARM = """\
set -e
umask 077
mkdir -p /run/portcullis
cd /run/portcullis
rm -rf guard.new
mkdir guard.new
cat > guard.new/restore <<'END_OF_RESTORE'
cd /run/portcullis && rm -rf guard.undone && mv -T guard guard.undone 2> /dev/null || exit 0
systemctl stop portcullis-guard.timer
echo 'undone, because no new connection confirmed it: '{what}
sh guard.undone/undo
rm -rf guard.undone
END_OF_RESTORE
(
{save}
) > guard.new/undo
systemctl stop portcullis-guard.timer 2> /dev/null || true
mv -T guard.new guard
trap 'code=$?; sh guard/restore; exit $code' EXIT
systemd-run --quiet --collect --unit=portcullis-guard --service-type=oneshot \\
  --description={what} --on-active={window} --timer-property=AccuracySec=100ms \\
  /bin/sh /run/portcullis/guard/restore
{commands}
trap - EXIT
"""

_CONFIRM = """\
cd /run/portcullis && rm -rf guard.kept && mv -T guard guard.kept 2> /dev/null || {{
  echo {what}': no new connection in time, so the host undid it' >&2
  exit 1
}}
systemctl stop portcullis-guard.timer
rm -rf guard.kept
"""


def guarded(what: str, save: str, *commands: str) -> Iterator[StringCommand]:
    """Run `commands`, lines of sh that change what is live, and confirm them over a new connection.

    `what` tells in words what they do. `save` is sh too: it prints the script that restores what is
    live now. Where a command fails, or nobody comes back, the host runs that script.
    """
    named = StringCommand(QuoteString(what)).get_raw_value()
    changing = "\n".join(commands)
    script = _ARM.format(what=named, save=save, commands=changing, window=WINDOW)
    yield StringCommand("sh", "-c", QuoteString(script))
    yield _OverNewConnection(
        what, StringCommand("sh", "-c", QuoteString(_CONFIRM.format(what=named)))
    )


class _OverNewConnection(StringCommand):
    """A command that a connection of its own carries, made as the run's was."""

    def __init__(self, what: str, command: StringCommand) -> None:
        super().__init__(command)
        self._what = what

    @override
    def execute(self, state: State, host: Host, connector_arguments: ConnectorArguments) -> Ran:
        if not isinstance(host.connector, SSHConnector):
            done: Ran = super().execute(state, host, connector_arguments)
            return done
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._attempt(state, host, connector_arguments)
            except (ConnectError, DeployError, SSHException, OSError, EOFError) as error:
                if time.monotonic() > end:
                    return False, CommandOutput([OutputLine("stderr", self._lost(str(error)))])
            gevent.sleep(_PAUSE)

    def _attempt(self, state: State, host: Host, arguments: ConnectorArguments) -> Ran:
        fresh = SSHConnector(state, host)
        try:
            fresh.connect()
            run = sudo_password.feeding(fresh.run_shell_command, host)
            return run(self, state.print_output, state.print_input, **arguments)
        finally:
            if fresh.client is not None:
                fresh.client.close()

    def _lost(self, reason: str) -> str:
        return f"{self._what}: no new connection since; the host was to undo it: {reason}"
