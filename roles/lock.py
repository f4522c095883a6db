"""One deploy at a time on a host: a lock that ends with its run, however that ends.

A command of the run's own holds it (roles/lock_script.py), and ends when the connection does.
Because a controller that lost its power closes none, it also ends when it hears nothing for LEASE
seconds; and so does this side.
"""

from __future__ import annotations

import builtins
import os
import re
import socket
import sys
from getpass import getuser
from shlex import quote
from typing import Any, cast
from weakref import WeakKeyDictionary

import gevent
from gevent.event import AsyncResult
from gevent.select import select
from paramiko import Channel, SSHException, Transport
from pyinfra import logger
from pyinfra.api import Host, QuoteString, State, StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, ConnectorArguments, pop_global_arguments
from pyinfra.api.state import BaseStateCallback
from pyinfra.connectors import util
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import CommandOutput, OutputLine
from typing_extensions import override

from roles import sudo_password
from roles.errors import DeployError
from roles.lock_script import LEASE, SCRIPT

_BEAT = 2.0
_FAREWELL = 5.0
_ONLY_PLAN = frozenset({"--dry", "--debug-operations", "--debug-facts"})


class LockError(DeployError):
    """The lock of a host cannot be had; no host was changed."""


def hold(state: State) -> None:
    """Hold the lock of each of the run's hosts until the run ends; one that only plans needs none.

    Raises LockError, with a line for each host, if one cannot be had: then the run ends, and with
    it what it did get. Whoever calls first does it for all hosts, the others wait for that.
    """
    if only_plans(state):
        return
    attempt = _attempts.get(state)
    if attempt is None:
        attempt = _attempts[state] = AsyncResult()
        attempt.set(_hold_all(state))
    if refused := attempt.get():
        raise LockError("\n".join(["the deploy is refused, and nothing was changed:", *refused]))


_attempts: WeakKeyDictionary[State, AsyncResult[list[str]]] = WeakKeyDictionary()
_locks: WeakKeyDictionary[Host, _Lock] = WeakKeyDictionary()
_at_work: set[Host] = set()


def only_plans(state: State) -> bool:
    # pyinfra keeps its options to itself; with --json it changes something after --yes alone.
    asked = set(sys.argv)
    return bool(asked & _ONLY_PLAN) or ("--json" in asked and state.check_for_changes)


def _hold_all(state: State) -> list[str]:
    """Give the reasons, a line for each host whose lock cannot be had."""
    hosts = sorted(state.active_hosts, key=lambda host: host.name)
    state.add_callback_handler(_Release())
    _let_prompts_wait()
    # One first: of two runs with the same hosts at the same instant it lets one through.
    for some in (hosts[:1], hosts[1:]):
        attempts = [gevent.spawn(_attempt, state, host) for host in some]
        if refused := [reason for each in attempts if (reason := each.get())]:
            return refused
    return []


def _attempt(state: State, host: Host) -> str | None:
    """Hold a host's lock; give the reason where that cannot be. One without SSH has none."""
    if not isinstance(host.connector, SSHConnector):
        return None
    try:
        _locks[host] = _Lock(state, host, host.connector)
    except DeployError as error:
        return str(error)
    except (SSHException, OSError, EOFError) as error:
        return f"{host.name}: {str(error) or 'the connection was lost'}"
    return None


class _Lock:
    """The held lock of one host. Raises LockError if it cannot be had."""

    def __init__(self, state: State, host: Host, connector: SSHConnector) -> None:
        self._host, self._connector = host, connector
        found, _ = pop_global_arguments(state, host, {})
        arguments: dict[str, Any] = {k: v for k, v in found.items() if k in CONNECTOR_ARGUMENT_KEYS}
        util.extract_control_arguments(cast("ConnectorArguments", arguments))
        password = arguments.pop("_sudo_password", None) or sudo_password.known(host)
        code, said = self._start(arguments, password)
        if code != 0 and arguments.get("_sudo") and not password:
            # sudo may want one: another command lets pyinfra ask for it, or says what is wrong.
            connector.run_shell_command(StringCommand("true"), **arguments)
            if password := sudo_password.known(host):
                code, said = self._start(arguments, password)
        if code != 0:
            sudo_password.check_accepted(host, said)
            reason = " ".join(said.output.split()) or f"exit code {code}"
            raise LockError(f"{host.name}: the deploy lock cannot be taken: {reason}")
        gevent.spawn(self._watch)

    def _start(self, arguments: dict[str, Any], password: str | None) -> tuple[int, CommandOutput]:
        script = StringCommand("WHO=" + quote(who()), "bash", "-c", QuoteString(SCRIPT))
        command, first = sudo_password.through_sudo(self._host, script, arguments, password)
        self._channel: Channel = self._transport.open_session()
        self._channel.exec_command(command.get_raw_value())
        self._channel.sendall("".join(f"{line}\n" for line in first).encode())
        gevent.spawn(self._beat)
        for line in self._channel.makefile("r"):
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "held":
                return 0, CommandOutput([])
            if word == "waiting":
                self._host.log(f"waits for what a run that was killed left at work: {rest}")
            if word == "busy":
                holder, _, since = rest.partition("\t")
                raise LockError(
                    f"{self._host.name}: another deploy is at work there: {holder}, since {since} "
                    "by that host's clock"
                )
        errors = self._channel.makefile_stderr("r")
        said = [OutputLine("stderr", line.rstrip("\n")) for line in errors]
        return self._channel.recv_exit_status() or 1, CommandOutput(said)

    @property
    def _transport(self) -> Transport:
        client = self._connector.client
        transport = client.get_transport() if client else None
        if transport is None:
            raise SSHException("the connection was lost")
        return transport

    def _beat(self) -> None:
        try:
            while not self._channel.status_event.wait(_BEAT):
                self._channel.sendall(b"\n")
        except OSError:
            return  # closed; _watch says so

    def _watch(self) -> None:
        """End the connection when the lock is lost: nothing may be changed without it."""
        self._channel.settimeout(LEASE)
        try:
            while self._channel.recv(1024):
                pass
        except TimeoutError:
            pass
        if _locks.get(self._host) is self:
            logger.error(
                f"{self._host.print_prefix}the connection or the deploy lock was lost: "
                "this run changes nothing more there"
            )
            self._transport.close()

    def release(self) -> None:
        """Let go at the run's end, and wait for that: the next run may follow at once."""
        if self._host in _at_work:
            return  # interrupted in the middle: the next run looks for what is left
        try:
            self._channel.sendall(b"end\n")
        except OSError:
            return
        self._channel.status_event.wait(_FAREWELL)


class _Release(BaseStateCallback):
    """Knows whether a command is under way on a host, and ends its lock with the run."""

    @staticmethod
    @override
    def operation_host_start(state: State, host: Host, op_hash: str) -> None:
        _at_work.add(host)

    @staticmethod
    @override
    def operation_host_success(
        state: State, host: Host, op_hash: str, retry_count: int = 0
    ) -> None:
        _at_work.discard(host)

    @staticmethod
    @override
    def operation_host_error(
        state: State, host: Host, op_hash: str, retry_count: int = 0, max_retries: int = 0
    ) -> None:
        _at_work.discard(host)

    @staticmethod
    @override
    def host_disconnect(state: State, host: Host) -> None:
        if lock := _locks.pop(host, None):
            lock.release()


def _let_prompts_wait() -> None:
    """Wait for the answer before pyinfra asks for it: its prompt would stop the lock's beat."""
    ask = builtins.input

    def wait(*prompt: object) -> str:
        select([sys.stdin], [], [])
        return ask(*prompt)

    builtins.input = wait


def who() -> str:
    """The run as another operator is told of it, in one line of plain characters."""
    try:
        user = getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        user = str(os.getuid())
    plain = re.sub(r"[^A-Za-z0-9._@-]", "?", f"{user}@{socket.gethostname()}")
    return f"{plain}, process {os.getpid()}"
