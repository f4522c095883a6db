"""A run that is killed anywhere is finished by the next."""

from __future__ import annotations

import os
import signal
import subprocess

from tests.deploy import running
from tests.lab.fixtures import MakeLab, RunningLab

# Each run gets further than the one before, because it starts from what that one left: in the
# middle of dpkg, between a file and the restart that it needs, after the key, before the firewall.
_POINTS = (
    "Install packages",
    "Write redis.conf",
    "Unpack the release",
    "Make a signing key",
    "Run the server",
    "Write nginx.conf",
)


def test_runs_that_are_killed_one_after_the_other_end_in_the_same_host(make_lab: MakeLab) -> None:
    lab = make_lab()
    for point in _POINTS:
        _kill_when_it_starts(lab, point)
    running.deploy(lab)
    assert running.pending(lab) == []
    assert "active" in lab.ssh("systemctl is-active oauth-server.service").stdout
    keys = lab.ssh("sudo ls /etc/oauth2/keys/ring").stdout.split()
    assert len([name for name in keys if name != "active"]) == 1


def _kill_when_it_starts(lab: RunningLab, point: str) -> None:
    """SIGKILL pyinfra as soon as it says that it begins with the operation."""
    process = subprocess.Popen(
        running.command("-y"),
        cwd=running.ROOT,
        env=running.environment(lab, PYTHONUNBUFFERED="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "Starting operation" in line and point in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL, "".join(said)
