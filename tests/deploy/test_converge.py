"""Every kind of host in one lab and one deploy: a second run changes nothing, the audit passes."""

from __future__ import annotations

import re

import pytest

from tests.deploy import running
from tests.lab import tour
from tests.lab.fixtures import MakeLab, RunningLab
from tests.lab.kinds import KINDS


@pytest.fixture(scope="module")
def every_kind(make_lab: MakeLab) -> RunningLab:
    lab = make_lab(*sorted(KINDS))
    running.deploy(lab)
    return lab


def test_after_a_deploy_nothing_is_left_to_change(every_kind: RunningLab) -> None:
    """pyinfra itself finds no operation that would change a host."""
    assert running.pending(every_kind) == []


def test_a_real_second_run_leaves_every_host_as_it_was(every_kind: RunningLab) -> None:
    """No file is written anew, no unit is restarted: what is on the host is the judge."""
    before = _states(every_kind)
    running.deploy(every_kind)
    after = _states(every_kind)
    assert after == before


def test_the_whole_audit_passes_on_every_kind(every_kind: RunningLab) -> None:
    verdict = tour.audit(every_kind.name)
    met = re.findall(r"(\S+): (\d+) of (\d+) controls met", verdict)
    assert [host for host, _, _ in met] == [host.name for host in every_kind.hosts]
    assert {some == all_ != "0" for _, some, all_ in met} == {True}


def _states(lab: RunningLab) -> dict[str, list[str]]:
    return {host.kind: running.state(lab, number) for number, host in enumerate(lab.hosts)}
