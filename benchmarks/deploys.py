"""A deploy on lab hosts of its own: how long, how many commands, how much memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.memory import peak_while
from tests.deploy import running
from tests.lab import lab as labs
from tests.lab.fixtures import RunningLab, unused_name
from tests.lab.kinds import DEFAULT_KIND

_FLEET = 8


@dataclass(frozen=True)
class Run:
    """Seconds by the clock and of the processor, MB at the peak; work, host by host."""

    seconds: float
    processor: float
    peak: float
    commands: list[list[str]]
    uploads: list[list[float]]

    @property
    def most_commands(self) -> int:
        """On one host."""
        hosts = [host for host, _ in self.commands]
        return max(map(hosts.count, hosts))


@contextmanager
def lab(hosts: int = 1) -> Iterator[RunningLab]:
    """A lab that nothing was deployed to."""
    name = unused_name()
    try:
        yield RunningLab(labs.up(name, [DEFAULT_KIND] * hosts))
    finally:
        labs.down(name)


def deploy(on: RunningLab, directory: Path, *, weigh: bool = False) -> Run:
    """Deploy as a user does; to weigh it costs it some time."""
    result = directory / "counted.json"
    command = [sys.executable, "-m", "tests.deploy.counting", str(result), "-y"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, running.LAB_INVENTORY, "deploy.py"], cwd=running.ROOT, env=environment(on),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    with peak_while(process.pid if weigh else None) as peak:
        said, _ = process.communicate()
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == 0, said
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, processor, peak(), **json.loads(result.read_text()))


def environment(on: RunningLab) -> dict[str, str]:
    """As users have it: Python keeps what it has compiled, and prints in blocks."""
    found = running.environment(on)
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        found.pop(name, None)
    return found


def one(directory: Path, *, rounds: int) -> dict[str, float]:
    """One host, from nothing and again."""
    with lab() as on:
        first = deploy(on, directory)
        again = [deploy(on, directory) for _ in range(rounds)]
    return {
        "first run, s": first.seconds,
        "first run, commands": len(first.commands),
        **_again(again),
    }


def fleet(directory: Path, *, rounds: int) -> dict[str, float]:
    """Eight hosts at once; the release goes to each once, and to several at a time."""
    with lab(_FLEET) as on:
        first = deploy(on, directory, weigh=True)
        again = [deploy(on, directory) for _ in range(rounds)]
        weighed = deploy(on, directory, weigh=True)
    hosts = [upload[0] for upload in first.uploads]
    assert len(hosts) == len(set(hosts)) == _FLEET, f"uploads went to {hosts}"
    assert not any(run.uploads for run in again)
    return {
        "first run, s": first.seconds,
        "first run, PSS at the peak, MB": first.peak,
        "uploads at a time": _at_a_time(first.uploads),
        **_again(again),
        "second run, PSS at the peak, MB": weighed.peak,
    }


def _again(runs: list[Run]) -> dict[str, float]:
    return {
        "second run, s": median(run.seconds for run in runs),
        "second run, fastest, s": min(run.seconds for run in runs),
        "second run, processor of the controller, s": median(run.processor for run in runs),
        "second run, commands on a host": max(run.most_commands for run in runs),
    }


def _at_a_time(uploads: list[list[float]]) -> int:
    """The most that were under way together."""
    return max(
        sum(begin <= other_begin < end for _, _, begin, end in uploads)
        for _, _, other_begin, _ in uploads
    )
