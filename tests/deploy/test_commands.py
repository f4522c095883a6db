"""How much a run that changes nothing asks of a host. A count is no timing: it never depends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import running
from tests.lab.fixtures import RunningLab

# Some are about the run itself: the system, the lock, whence it comes. All else is one question.
COMMANDS = 8


def counted(lab: RunningLab, result: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.deploy.counting", str(result), *arguments]
    done = subprocess.run(
        [*command, running.LAB_INVENTORY, "deploy.py"],
        cwd=running.ROOT,
        env=running.environment(lab),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(result.read_text())
    return found


@pytest.mark.parametrize("arguments", [["-y"], ["--dry"]], ids=["run", "plan"])
def test_a_run_that_changes_nothing_takes_few_commands_and_no_upload(
    arguments: list[str], deployed: RunningLab, tmp_path: Path
) -> None:
    found = counted(deployed, tmp_path / "counted.json", *arguments)
    commands = [text for _, text in found["commands"]]
    assert 1 < len(commands) <= COMMANDS, "\n".join(commands)
    assert found["uploads"] == []


def test_the_host_counts_the_same(deployed: RunningLab, tmp_path: Path) -> None:
    """sudo writes a line for each command that it runs; what is counted here is no less."""
    since = deployed.ssh("date '+%F %T'").stdout.strip()
    found = counted(deployed, tmp_path / "counted.json", "-y")
    logged = deployed.ssh(f"sudo journalctl --quiet _COMM=sudo --since '{since}' -o cat").stdout
    sudo = [line for line in logged.splitlines() if "COMMAND=" in line]
    # The journal is itself read by sudo.
    ours = [text for _, text in found["commands"] if "sudo" in text]
    assert len(sudo) - 1 == len(ours), logged
