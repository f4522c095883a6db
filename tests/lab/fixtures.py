"""Labs for tests: fresh, uniquely named, and taken down at the end however the tests went.

A conftest takes them over by importing `lab` and `make_lab`.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from typing import Protocol

import pytest

from tests.lab import lab as labs
from tests.lab import places, prerequisites
from tests.lab.kinds import DEFAULT_KIND
from tests.lab.record import LabRecord

_SUFFIXES = map("".join, product(ascii_lowercase, repeat=2))


class RunningLab:
    """A lab that is up: its files, and a way to run commands on its hosts."""

    def __init__(self, known: LabRecord) -> None:
        self.name = known.name
        self.hosts = known.hosts
        self.directory = places.described(Path(known.checkout), known.name)
        self.lab_json = self.directory / "lab.json"
        self.ssh_config = self.directory / "ssh_config"

    def ssh(
        self, command: str, host: int = 0, options: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the lab's user on the host of that index."""
        argv = ["ssh", "-F", str(self.ssh_config), *options, self.hosts[host].name, command]
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )


class MakeLab(Protocol):
    def __call__(self, *kinds: str) -> RunningLab:
        """Bring up a lab of its own with hosts of these kinds, or with one host."""


@contextmanager
def _labs() -> Iterator[MakeLab]:
    """Skip, or under CI fail, where none can be made."""
    require_lab()
    with ExitStack() as made:

        def make(*kinds: str) -> RunningLab:
            name = unused_name()
            made.callback(labs.down, name)
            return RunningLab(labs.up(name, list(kinds) or [DEFAULT_KIND]))

        yield make


@pytest.fixture(scope="module")
def make_lab() -> Iterator[MakeLab]:
    """Make labs that end with the module: the kernel has room for some twenty hosts at once."""
    with _labs() as make:
        yield make


@pytest.fixture(scope="session")
def lab() -> Iterator[RunningLab]:
    """Give one lab with one host to all tests of the session."""
    with _labs() as make:
        yield make()


def unused_name() -> str:
    """Give a lab's name that no other process and no other test has."""
    return f"t{os.getpid()}{next(_SUFFIXES)}"


def require_lab() -> None:
    """Skip the test, naming what this machine lacks for a lab; under CI a lack is a failure."""
    reason = prerequisites.missing()
    if reason is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
