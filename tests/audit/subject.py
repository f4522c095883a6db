"""A host under audit: asked everything in one SSH connection, and reached over the network."""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from shlex import quote
from typing import Any

import pytest
import yaml

from tests.audit.groups import ALL, GATEWAYS, SERVERS, STATE
from tests.audit.verdict import not_checked

Questions = Mapping[str, str]
"""Shell commands by name. They only read; what they print is public (no private key, no hash)."""

_DENIED = re.compile(
    # dash says no more than "can't cd to" of a directory that it may not enter.
    r"permission denied|can't cd to|operation not permitted|must be root|are you root",
    re.IGNORECASE,
)
_SECONDS = 30

# What the conftest itself has to know of a host.
_OWN = {
    "uid": "id -u",
    "os-release": "cat /etc/os-release",
    "settings": "cat /etc/oauth2/server.yaml",
    "fleet": "cat /etc/oauth2/fleet.json 2> /dev/null || true",
}


@dataclass(frozen=True)
class Answer:
    """What a command printed, errors included, and its exit status."""

    command: str
    status: int
    text: str
    privileged: bool

    @property
    def output(self) -> str:
        """What it printed; the check ends here if the command failed."""
        if self.status:
            self._denied_or(f"a command failed with status {self.status}")
        return self.text

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()

    @property
    def states(self) -> dict[str, str]:
        """The answer to `states_of`: owner, group, mode and type by path."""
        if _DENIED.search(self.output):
            self._denied_or("a file cannot be looked at")
        lines = (
            line.replace("regular empty file", "regular file") for line in self.text.splitlines()
        )
        return dict(line.split("|", 1) for line in lines if "|" in line)

    @property
    def units(self) -> dict[str, dict[str, str]]:
        """The answer to `units_of`: properties by unit."""
        blocks = (
            dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            for block in self.output.split("\n\n")
        )
        return {block["Id"]: block for block in blocks if "Id" in block}

    def _denied_or(self, failure: str) -> None:
        if not self.privileged and _DENIED.search(self.text):
            not_checked("this account may not look there; root's eyes are given by --sudo")
        shown = self.text.strip() or "nothing"
        pytest.fail(f"{failure}\n  command: {self.command}\n  said:    {shown}", pytrace=False)


def states_of(*paths: str) -> str:
    """A question for owner, group, mode and type of each path; links are not followed."""
    return (
        f"for path in {' '.join(map(quote, paths))}; do "
        'stat -c "%n|%U:%G %04a %F" "$path" || echo "$path|missing"; done'
    )


def units_of(*units: str) -> str:
    """A question for the state of each unit."""
    properties = "Id,LoadState,ActiveState,UnitFileState,MainPID,NeedDaemonReload"
    return f"systemctl show --property={properties} {' '.join(map(quote, units))}"


class Subject:
    """One host. Nothing is asked before the first answer is wanted, and then everything."""

    def __init__(
        self,
        host: Any,
        questions: Mapping[str, Questions],
        issuer: str | None,
        address: str,
        groups: frozenset[str] = frozenset(ALL),
    ) -> None:
        """`host` is testinfra's; `address` is where this machine reaches it."""
        self.is_server = SERVERS in groups
        self.is_gateway = GATEWAYS in groups
        self.is_state = STATE in groups
        self._host = host
        self._questions = {**questions, "": _OWN}
        self._issuer = issuer
        self.name: str = host.backend.get_hostname()
        self.address = address
        self._unreachable = ""

    def answers(self, group: str) -> dict[str, Answer]:
        """The answers to one group of questions."""
        return self._answers[group]

    @property
    def is_el(self) -> bool:
        release = self._answers[""]["os-release"].output
        return re.search(r"^ID(_LIKE)?=.*\b(rhel|fedora)\b", release, re.MULTILINE) is not None

    @property
    def has_neighbours(self) -> bool:
        """Whether it is one host of several that need each other."""
        alone = self.is_server and self.is_gateway and self.is_state
        return not alone or bool(self._answers[""]["fleet"].output.strip())

    @property
    def issuer(self) -> str:
        if self._issuer:
            return self._issuer
        settings = yaml.safe_load(self._answers[""]["settings"].output)
        return str(settings["issuer"])

    @property
    def issuer_host(self) -> str:
        return self.issuer.removeprefix("https://").strip("[]")

    @cached_property
    def _answers(self) -> dict[str, dict[str, Answer]]:
        named = [
            (g, n, c) for g, questions in self._questions.items() for n, c in questions.items()
        ]
        mark = secrets.token_hex(16)
        parts = list(parse(self._run(script([c for _, _, c in named], mark)), mark))
        if len(parts) != len(named):
            raise UnreachableError(f"{self.name} answered {len(parts)} of {len(named)} questions")
        texts = {(g, n): part for (g, n, _), part in zip(named, parts, strict=True)}
        privileged = texts["", "uid"][1].strip() == "0"
        answers: dict[str, dict[str, Answer]] = {group: {} for group in self._questions}
        for group, name, command in named:
            answers[group][name] = Answer(command, *texts[group, name], privileged)
        return answers

    def _run(self, shell: str) -> str:
        if self._unreachable:
            raise UnreachableError(self._unreachable)
        try:
            said = self._host.run("sh -c %s", shell)
        except RuntimeError as error:  # testinfra's word for ssh's exit status 255
            said = error.args[0]
        if not said.stdout:
            self._unreachable = f"{self.name} cannot be asked: {said.stderr.strip()}"
            raise UnreachableError(self._unreachable)
        return str(said.stdout)


class UnreachableError(Exception):
    """A host could not be asked."""


def script(commands: list[str], mark: str) -> str:
    """Shell that runs each command by itself and marks where its output ends, and with what."""
    lines = ["export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    lines += [
        f"timeout {_SECONDS} sh -c {quote(command)} 2>&1 </dev/null; echo {mark} $?"
        for command in commands
    ]
    return "\n".join(lines)


def parse(output: str, mark: str) -> Iterator[tuple[int, str]]:
    """Exit status and text of each command of a `script`."""
    text = ""
    for line in output.splitlines(keepends=True):
        before, found, status = line.partition(f"{mark} ")
        text += before
        if found:
            yield int(status), text
            text = ""


def address_of(name: str, ssh_config: str | None) -> str:
    """Where ssh would connect to; its own configuration knows."""
    command = ["ssh", "-G", *(["-F", ssh_config] if ssh_config else []), name]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return name
    found = re.search(r"^hostname (.+)$", said, re.MULTILINE)
    return found[1] if found else name
