"""Long-running processes of a lab, each in a control group of its own.

The control group is what a process is known by: no process id is ever written down, so none can
come to mean somebody else's process. Where systemd is the machine's first process it holds them
as transient units; elsewhere the lab makes the groups itself, in each hierarchy that systemd-nspawn
uses.
"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tests.lab import naming
from tests.lab.machine import LabError, attempt, run

# systemd-nspawn's way to say that its host wants to be booted again (its EXIT_FORCE_RESTART).
_BOOT_AGAIN = 133
_GRACE = 10.0


class Services(Protocol):
    """The running processes of one lab."""

    def start(self, service: str, argv: Sequence[str], log: Path) -> None:
        """Start a service that outlives this process; its output is appended to the log."""

    def running(self) -> set[str]:
        """Name the services whose main process lives."""

    def known(self) -> set[str]:
        """Name the services that run or have left something behind."""

    def stop(self, services: set[str]) -> None:
        """Power them off all at once, by force if that takes long; nothing of them is left."""

    def kill(self, services: set[str]) -> None:
        """End them at once, for hosts whose files go next; nothing of them is left."""


def of(lab: str) -> Services:
    return _Units(lab) if Path("/run/systemd/system").is_dir() else _Groups(lab)


class _Units:
    """Transient units, with the same properties as systemd's own systemd-nspawn@.service."""

    def __init__(self, lab: str) -> None:
        self._lab = lab

    def start(self, service: str, argv: Sequence[str], log: Path) -> None:
        properties = [
            "Delegate=yes",
            "KillMode=mixed",
            f"RestartForceExitStatus={_BOOT_AGAIN}",
            f"SuccessExitStatus={_BOOT_AGAIN}",
            "RestartSec=0",
            f"StandardOutput=append:{log}",
            f"StandardError=append:{log}",
            f"TimeoutStopSec={_GRACE:.0f}",
        ]
        run(
            "systemd-run",
            "--quiet",
            "--collect",
            f"--unit={naming.unit(self._lab, service)}",
            *(f"--property={setting}" for setting in properties),
            "--",
            *argv,
        )

    def running(self) -> set[str]:
        return self._listed("--state=active,activating,reloading")

    def known(self) -> set[str]:
        return self._listed("--all")

    def _listed(self, which: str) -> set[str]:
        prefix = naming.unit_prefix(self._lab)
        listed = run(
            "systemctl", "list-units", which, "--plain", "--no-legend", "--full", f"{prefix}*"
        )
        units = [line.split()[0] for line in listed.splitlines()]
        return {unit.removeprefix(prefix).removesuffix(".service") for unit in units}

    def stop(self, services: set[str]) -> None:
        if services:
            run("systemctl", "stop", *self._units(services))

    def kill(self, services: set[str]) -> None:
        if services:
            # A unit that has no process any more is none to kill, and that is no error.
            attempt("systemctl", "kill", "--signal=KILL", *self._units(services))
            self.stop(services & self.known())

    def _units(self, services: set[str]) -> list[str]:
        return [f"{naming.unit(self._lab, service)}.service" for service in sorted(services)]


class _Groups:
    """Control groups made by the lab, on a machine that no systemd manages."""

    def __init__(self, lab: str) -> None:
        self._lab = lab
        self._roots = _hierarchies()
        if not self._roots:
            raise LabError("this machine has no control groups that systemd-nspawn could use")

    def start(self, service: str, argv: Sequence[str], log: Path) -> None:
        groups = self._groups(service)
        for group in groups:
            group.mkdir(exist_ok=True)
        enter = 'until [ "$1" = -- ]; do echo $$ > "$1/cgroup.procs" || exit; shift; done; shift; '
        again = f'while "$@"; [ $? -eq {_BOOT_AGAIN} ]; do :; done'
        with log.open("ab") as output:
            leave = enter + 'exec setsid --fork sh -c "$0" sh "$@"'
            subprocess.run(
                ["sh", "-c", leave, again, *map(str, groups), "--", *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                check=True,
            )

    def running(self) -> set[str]:
        return {
            service
            for service in self.known()
            if any(_members(_leading(group)) for group in self._groups(service))
        }

    def known(self) -> set[str]:
        prefix = naming.unit_prefix(self._lab)
        found = [group.name for root in self._roots for group in root.glob(f"{prefix}*")]
        return {name.removeprefix(prefix) for name in found}

    def stop(self, services: set[str]) -> None:
        for service in services:
            for group in self._groups(service):
                _signal(_leading(group), signal.SIGTERM)
        self._end(services, kill_after=_GRACE)

    def kill(self, services: set[str]) -> None:
        self._end(services, kill_after=0)

    def _end(self, services: set[str], kill_after: float) -> None:
        groups = [group for service in services for group in self._groups(service)]
        deadline = time.monotonic() + kill_after
        while any(_processes(group) for group in groups):
            for group in groups:
                if not _members(_leading(group)) or time.monotonic() > deadline:
                    _signal_all(group, signal.SIGKILL)
            time.sleep(0.02)
        for group in groups:
            _remove(group)

    def _groups(self, service: str) -> list[Path]:
        return [root / naming.unit(self._lab, service) for root in self._roots]


def _hierarchies() -> list[Path]:
    """Find the mounted hierarchies that systemd-nspawn uses: version 2, and systemd's own in 1."""
    roots: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mounted, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options):
            roots.setdefault(kind, Path(mounted.split(" ")[4]))
    return list(roots.values())


def _leading(group: Path) -> Path:
    """Give the group of the process that speaks for the service.

    systemd-nspawn moves itself into one of its own, powers its host off on SIGTERM, and lets its
    host run on unattended when it is killed: that host counts as dead.
    """
    supervisor = group / "supervisor"
    return supervisor if supervisor.is_dir() else group


def _below(group: Path) -> list[Path]:
    """List the group and those in it, inner ones first."""
    return [Path(path) for path, _, _ in os.walk(group, topdown=False)]


def _members(group: Path) -> list[int]:
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    except OSError:  # the group went away, or was about to
        return []


def _processes(group: Path) -> list[int]:
    return [pid for inner in _below(group) for pid in _members(inner)]


def _signal_all(group: Path, number: signal.Signals) -> None:
    for inner in _below(group):
        _signal(inner, number)


def _signal(group: Path, number: signal.Signals) -> None:
    """Signal the group's own processes, each held by a descriptor so that none can be mistaken."""
    for pid in _members(group):
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if pid in _members(group):
                signal.pidfd_send_signal(process, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(process)


def _remove(group: Path) -> None:
    deadline = time.monotonic() + _GRACE
    for inner in _below(group):
        while inner.is_dir():
            try:
                inner.rmdir()
            except OSError as error:
                # A process that has just ended keeps its group busy for a moment.
                if time.monotonic() > deadline:
                    raise LabError(f"{inner} cannot be removed: {error.strerror}") from error
                time.sleep(0.02)
