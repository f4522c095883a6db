"""One deploy at a time on a host, and a run that is dead holds up no other."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import pytest

from roles.lock_script import LEASE
from tests.deploy import running
from tests.deploy.sweep.run import Run
from tests.lab.fixtures import MakeLab, RunningLab

_BUSY = r"{host}: another deploy is at work there: \S+@\S+, process {pid}, since [0-9-]+ [0-9:]+ \+"
_HELD = "sudo test -e /run/portcullis/deploy.holder"


@pytest.fixture(scope="module")
def pair(make_lab: MakeLab) -> RunningLab:
    """Two hosts with nothing on them, so that every run has something to change."""
    return make_lab("debian-12", "debian-12")


def test_a_second_run_is_refused_and_told_who_is_at_work_since_when(pair: RunningLab) -> None:
    """All or nothing: the run is refused for both hosts though one of them is free."""
    first, second = pair.hosts
    with running.planned(pair, "--limit", second.name) as process:
        before = [running.state(pair, number) for number in (0, 1)]
        refused = running.pyinfra(pair, "-y")
        assert [running.state(pair, number) for number in (0, 1)] == before
        assert pair.ssh(_HELD, host=0).returncode == 1
        assert pair.ssh(_HELD, host=1).returncode == 0
    said = refused.stdout + refused.stderr
    assert refused.returncode == 1
    assert "the deploy is refused, and nothing was changed:" in said
    assert re.search(_BUSY.format(host=second.name, pid=process.pid), said), said
    assert f"{first.name}: another" not in said
    assert "Traceback" not in said


def test_a_dry_run_is_not_refused_and_takes_no_lock(pair: RunningLab) -> None:
    with running.planned(pair):
        assert running.pyinfra(pair, "--dry").returncode == 0


def test_of_two_runs_at_the_same_instant_one_goes_on(pair: RunningLab) -> None:
    """It gets as far as asking its operator; the other ends while it waits there."""
    runs = [
        subprocess.Popen(
            running.command(),
            cwd=running.ROOT,
            env=running.environment(pair),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    while not any(run.poll() is not None for run in runs):
        time.sleep(0.1)
    # The first to end is the refused one; the other is let go by the end of its input.
    said = [run.communicate()[0] for run in sorted(runs, key=lambda run: run.poll() is None)]
    assert "another deploy is at work" in said[0], said[0]
    assert "Detected changes displayed" not in said[0]
    assert "Detected changes displayed" in said[1], said[1]


def test_the_lock_of_a_killed_run_is_free_at_once(pair: RunningLab) -> None:
    with running.planned(pair) as process:
        os.killpg(process.pid, signal.SIGKILL)
    with running.planned(pair):
        pass


def test_a_run_that_falls_silent_loses_its_lock_and_one_that_waits_for_its_operator_does_not(
    pair: RunningLab,
) -> None:
    """Stopped, a run's connection stays open: so does a machine's whose power is cut."""
    first, second = pair.hosts
    with (
        running.planned(pair, "--limit", first.name) as waiting,
        running.planned(pair, "--limit", second.name) as stopped,
    ):
        os.killpg(stopped.pid, signal.SIGSTOP)
        asked = time.monotonic()
        assert running.pyinfra(pair, "-y", "--limit", second.name).returncode == 1
        while pair.ssh("sudo flock -n /run/portcullis/deploy.lock true", host=1).returncode:
            assert time.monotonic() - asked < LEASE + 10
            time.sleep(1)
        # When it comes back it may not go on with a lock that somebody else can have by then.
        before = running.state(pair, 1)
        os.killpg(stopped.pid, signal.SIGCONT)
        said, _ = stopped.communicate("\n", timeout=30)
        assert stopped.returncode == 1
        assert "the connection or the deploy lock was lost" in said
        assert "Traceback" not in said
        assert running.state(pair, 1) == before
        while time.monotonic() - asked < LEASE + 5:
            time.sleep(1)
        assert waiting.poll() is None
        assert pair.ssh(_HELD, host=0).returncode == 0


def test_without_the_right_to_it_the_lock_is_refused_in_one_line(pair: RunningLab) -> None:
    refused = running.pyinfra(pair, "-y", "--data", "_sudo=False")
    said = refused.stdout + refused.stderr
    assert refused.returncode == 1
    assert f"{pair.hosts[0].name}: the deploy lock cannot be taken: " in said
    assert "Permission denied" in said
    assert "Traceback" not in said


def test_what_a_killed_run_left_at_work_is_waited_for(
    lab: RunningLab, deployed: RunningLab
) -> None:
    """The restart of a service goes on when its run is dead, and knows no lock of apt's."""
    drop_in = "/run/systemd/system/chrony.service.d"
    slow = lab.ssh(
        f"sudo mkdir {drop_in} && printf '[Service]\\nExecStartPre=/bin/sleep 8\\n'"
        f" | sudo tee {drop_in}/slow.conf && sudo systemctl daemon-reload"
        " && sudo systemctl stop chrony"
    )
    assert slow.returncode == 0, slow.stderr
    try:
        run = Run(lab, running.LAB_INVENTORY)
        run.reach("Run chrony")
        while lab.ssh("pgrep --full '^systemctl restart chrony'").returncode:
            time.sleep(0.1)
        run.kill()
        lab.ssh(f"sudo rm -r {drop_in}")  # for later starts
        following = Run(lab, running.LAB_INVENTORY)
        following.must_succeed()
    finally:
        lab.ssh(f"sudo rm -rf {drop_in}; sudo systemctl daemon-reload")
    assert "waits for what a run that was killed left at work: " in following.said
    assert "systemctl (process " in following.said
    assert running.pending(deployed) == []
