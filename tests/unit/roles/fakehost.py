"""Hosts that exist in memory: what a deploy does to one, over pyinfra's @fake connector.

A fake host keeps what `managed_file` and `running` did to it and answers their facts from that,
so a second run sees what the first one left. Every other command succeeds with no output, unless
`responses` says otherwise (the connector's `fake_responses`).
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyinfra.api import Config, Host, Inventory, State, StringCommand
from pyinfra.api.connect import connect_all
from pyinfra.api.deploy import add_deploy
from pyinfra.api.operations import run_ops
from pyinfra.api.state import StateStage
from pyinfra.connectors.fake import FakeConnector
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host, ctx_inventory, ctx_state

from roles.platform import PYTHONS, Platform, Target

ARCHITECTURE = "x86_64"
OS_RELEASES = {
    Platform.DEBIAN_12: 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"',
    Platform.UBUNTU_22_04: 'ID=ubuntu\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22.04.5 LTS"',
    Platform.UBUNTU_24_04: 'ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04.2 LTS"',
    Platform.EL_9: 'ID="rocky"\nVERSION_ID="9.5"\nPRETTY_NAME="Rocky Linux 9.5 (Blue Onyx)"',
}
_SHADOW = {"command -v useradd": "/usr/sbin/useradd"}
SYSTEM_PYTHONS = {
    Platform.DEBIAN_12: "3.11",
    Platform.UBUNTU_22_04: "3.10",
    Platform.UBUNTU_24_04: "3.12",
    Platform.EL_9: "3.9",
}


@dataclass(frozen=True)
class Command:
    """A command that an operation ran; `operation` is the name with its deploy's before it."""

    operation: str
    text: str
    stdin: str = ""


@dataclass(frozen=True)
class WrittenFile:
    """A file that `managed_file` put in place; `script` is the shell that checked and moved it."""

    path: str
    content: str
    user: str
    group: str
    mode: str
    script: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content.encode()).hexdigest()


@dataclass(frozen=True)
class Run:
    """What a run said beforehand that it would change, and what it then did, both in order."""

    predicted: list[str]
    commands: list[Command]

    @property
    def changed(self) -> list[str]:
        """The operations that ran anything."""
        return list(dict.fromkeys(command.operation for command in self.commands))

    def text(self) -> str:
        """All commands, without what they were fed."""
        return "\n".join(command.text for command in self.commands)


@dataclass
class FakeHost:
    """One host of a platform; `run` deploys to it as often as wanted."""

    platform: Platform
    responses: Mapping[Any, Any] = field(default_factory=dict)
    files: dict[str, WrittenFile] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    """Whence a file's content is, where it is not the deploy's (roles.history)."""
    units: dict[str, list[str]] = field(default_factory=dict)
    """What was done to each unit: "restart" or "reload", in order."""
    applied: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    """With which of pyinfra's global arguments each command last ran, facts' included."""
    name: str = "@fake/host"
    diff: bool = False
    """Whether pyinfra was called with `--diff`."""

    @property
    def target(self) -> Target:
        return Target(self.platform, ARCHITECTURE, PYTHONS[self.platform])

    def run(
        self,
        deploy: Callable[..., object],
        *args: object,
        data: Mapping[str, object] | None = None,
        dry: bool = False,
    ) -> Run:
        """Plan and, unless `dry`, carry out `deploy(*args)`; `data` is what the inventory carries.

        Raises pyinfra's PyinfraError when an operation fails.
        """
        inventory = Inventory(([(self.name, self._data(data or {}))], {}))
        state = State(inventory, Config(DIFF=self.diff), check_for_changes=True)
        (host,) = inventory
        host.connector = _Connector(state, host, self)
        try:
            with ctx_inventory.use(inventory):
                connect_all(state)
                state.set_stage(StateStage.Prepare)
                add_deploy(state, deploy, *args)
                predicted = [
                    name
                    for name, operation_hash in _operations(state)
                    if state.ops[host][operation_hash].operation_meta.will_change
                ]
                if not dry:
                    state.set_stage(StateStage.Execute)
                    run_ops(state)
        finally:
            # pyinfra leaves its contexts set when something in them raises.
            for context in (ctx_inventory, ctx_state, ctx_host):
                context.reset()
        return Run(predicted, [] if dry else list(_commands(state, host)))

    def _data(self, data: Mapping[str, object]) -> dict[str, object]:
        system = [
            ARCHITECTURE,
            f"/usr/bin/python{SYSTEM_PYTHONS[self.platform]}",
            f"own /usr/bin/python{SYSTEM_PYTHONS[self.platform]}",
            "systemd",
            "--",
            *OS_RELEASES[self.platform].splitlines(),
        ]
        # The first match counts, so a test's own answers stand first.
        responses = dict(self.responses)
        for matcher, answer in (
            ("uname -m; for python in", system),
            ("uname -s", "Linux"),
            ("rpm -q --whatprovides", "bash-5.1.8-9.el9.x86_64"),
            *_SHADOW.items(),
        ):
            responses.setdefault(matcher, answer)
        return {"fake_delay": 0, "fake_delay_jitter": 0, "fake_responses": responses, **data}


def service_state(state: Iterable[str], wanted: str, applied: str | None) -> list[str]:
    """What a host answers to roles.services.ServiceState; `state` is enabled, active, reload."""
    names = "UnitFileState", "ActiveState", "NeedDaemonReload"
    systemd = [f"{name}={value}" for name, value in zip(names, state, strict=True)]
    return [*systemd, f"wanted= {wanted}", *([] if applied is None else [f"applied={applied}"])]


def _operations(state: State) -> Iterable[tuple[str, str]]:
    for operation_hash in state.get_op_order():
        yield next(iter(state.get_op_meta(operation_hash).names)), operation_hash


def _commands(state: State, host: Host) -> Iterable[Command]:
    for name, operation_hash in _operations(state):
        if operation_hash not in state.ops[host]:
            continue
        for command in state.ops[host][operation_hash].operation_meta._commands or ():
            if isinstance(command, StringCommand):
                stdin = command.connector_arguments.get("_stdin") or ""
                yield Command(name, command.get_raw_value(), str(stdin))
            else:
                yield Command(name, str(command))


class _Connector(FakeConnector):
    """@fake, with a memory for files and units."""

    def __init__(self, state: State, host: Host, memory: FakeHost) -> None:
        super().__init__(state, host)
        self._memory = memory

    def run_shell_command(
        self,
        command: str | StringCommand,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Any,
    ) -> tuple[bool, CommandOutput]:
        text = command if isinstance(command, str) else command.get_raw_value()
        self._memory.arguments[text] = dict(arguments)
        answer = None if self._scripted(text) else self._stat(text) or self._service(text)
        if answer is not None:
            return True, CommandOutput([OutputLine("stdout", line) for line in answer])
        done, output = super().run_shell_command(command, print_output, print_input, **arguments)
        if done and text.startswith("sh -c "):
            script = shlex.split(text)[2]
            self._install(script, str(arguments.get("_stdin") or ""))
            self._feed(script)
        return done, output

    def _scripted(self, text: str) -> bool:
        """A test's own answer comes before the memory's."""
        return any(
            matcher.search(text) if isinstance(matcher, re.Pattern) else matcher in text
            for matcher in self._memory.responses
        )

    def _stat(self, text: str) -> list[str] | None:
        """roles.facts.FileStates"""
        if not (match := re.match(r"for path in (.*?) ?; do test -f", text)):
            return None
        known = [self._memory.files[p] for p in shlex.split(match[1]) if p in self._memory.files]
        return [
            line
            for file in known
            for line in (
                f"{file.user} {file.group} {file.mode}",
                *(file.sha256, file.path, self._memory.origins.get(file.path, "ours")),
            )
        ]

    def _service(self, text: str) -> list[str] | None:
        """roles.services.ServiceState"""
        if not (match := re.match(r"systemctl show --property=UnitFileState,\S+ (\S+) ", text)):
            return None
        unit = match[1]
        state = ("enabled", "active") if unit in self._memory.units else ("", "inactive")
        return service_state((*state, "no"), self._fed_with(text), self._memory.applied.get(unit))

    def _install(self, script: str, stdin: str) -> None:
        """roles.files.managed_file"""
        target = re.search(r"^target=(.*)$", script, re.MULTILINE)
        mode = re.search(r'^chmod (\d+) "\$candidate"$', script, re.MULTILINE)
        owner = re.search(r'^chown (\S+) "\$candidate"$', script, re.MULTILINE)
        if target:
            self._memory.origins.pop(shlex.split(target[1])[0], None)
        if not (target and mode and owner and "mv -T" in script):
            return
        user, group = shlex.split(owner[1])[0].split(":")
        path = shlex.split(target[1])[0]
        self._memory.files[path] = WrittenFile(path, stdin, user, group, mode[1], script)

    def _feed(self, script: str) -> None:
        """roles.services.running"""
        if enabled := re.search(r"^systemctl enable --quiet (\S+)$", script, re.MULTILINE):
            done = self._memory.units.setdefault(enabled[1], [])
            if verb := re.search(r"^systemctl (restart|reload) ", script, re.MULTILINE):
                done.append(verb[1])
                self._memory.applied[enabled[1]] = self._fed_with(script)

    def _fed_with(self, text: str) -> str:
        files = self._memory.files
        digests = []
        for listed in re.findall(r"sha256sum -- (.*?) < /dev/null 2>&1", text):
            paths = shlex.split(listed)
            contents = [(path, files[path].content if path in files else None) for path in paths]
            digests.append(hashlib.sha256(repr(contents).encode()).hexdigest())
        return " ".join(digests)
