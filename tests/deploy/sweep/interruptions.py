"""What can come between a run and its end, done for real to a lab host and to pyinfra."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from tests.deploy.sweep.run import Run
from tests.lab import snapshot
from tests.lab.machine import run as program

_BUSY = re.compile(r"another deploy is at work there: \S+@\S+, process (\d+), since \S+ \S+ \+0000")
_TABLE = """\
add table inet silence
add chain inet silence in {{ type filter hook input priority -10; }}
add chain inet silence out {{ type filter hook output priority -10; }}
add rule inet silence in tcp sport {port} drop
add rule inet silence out tcp dport {port} drop
"""


@contextmanager
def killed(run: Run) -> Iterator[None]:
    """The process that deploys is killed, and the kernel closes its connection."""
    run.kill()
    yield


@contextmanager
def cut(run: Run) -> Iterator[None]:
    """The host ends the connection; what runs there goes on."""
    for session in snapshot.processes(run.lab.name, "cmdline", r"\Asshd: deploy"):
        with suppress(ProcessLookupError):  # one of a session has ended the others
            os.kill(session, signal.SIGKILL)
    run.must_fail()
    yield


@contextmanager
def silent(run: Run) -> Iterator[None]:
    """The controller loses its power: no packet of its connection passes from here on, no FIN."""
    into_host = ("nsenter", f"--target={_init(run)}", "--net", "--mount", "nft")
    program(*into_host, "-f", "-", stdin=_TABLE.format(port=_port(run)))
    run.kill()
    yield
    program(*into_host, "delete", "table", "inet", "silence")


@contextmanager
def rebooted(run: Run) -> Iterator[None]:
    """The host loses its power, and boots again."""
    snapshot.cut_power(run.lab.name)
    snapshot.boot(run.lab.name)
    run.must_fail()
    yield


@contextmanager
def full(run: Run) -> Iterator[None]:
    """The host's disk is full from here on, until the run has ended."""
    snapshot.fill_disk(run.lab.name)
    try:
        run.must_end()
    finally:
        snapshot.free_disk(run.lab.name)
    yield


@contextmanager
def rivalled(run: Run) -> Iterator[None]:
    """Another run begins meanwhile: it is refused, and this one goes on as if nothing had been.

    It is held up until then, for less than its lease: late in a run it would have ended before.
    """
    os.kill(run.pid, signal.SIGSTOP)
    try:
        rival = Run(run.lab, run.inventory)
        rival.must_fail()
    finally:
        os.kill(run.pid, signal.SIGCONT)
    busy = _BUSY.search(rival.said)
    assert busy, rival.said
    assert int(busy[1]) == run.pid
    run.must_succeed()
    yield


def _init(run: Run) -> int:
    """The host's first process, as the machine numbers it."""
    (first,) = snapshot.processes(run.lab.name, "status", r"^NSpid:.*\t1$")
    return first


def _port(run: Run) -> int:
    """The controller's port of the run's connection."""
    listed = subprocess.run(
        ["ss", "-Htnp", "dst", run.lab.hosts[0].address], capture_output=True, text=True, check=True
    )
    (port,) = re.findall(rf":(\d+)\s+\S+:22\s.*pid={run.pid},", listed.stdout)
    return int(port)


KINDS: dict[str, Callable[[Run], AbstractContextManager[None]]] = {
    interruption.__name__: interruption
    for interruption in (killed, cut, silent, rebooted, full, rivalled)
}
