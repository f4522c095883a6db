"""A run that is interrupted anywhere, by anything, is finished by the next.

`make test` takes a sample of the points, `make sweep` all of them. SEED chooses which point meets
which kind of interruption, and the sample.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from roles.lock_script import LEASE
from tests.deploy import running
from tests.deploy.sweep import digest
from tests.deploy.sweep.interruptions import KINDS
from tests.deploy.sweep.points import Case, cases
from tests.deploy.sweep.run import Run
from tests.deploy.sweep.stage import Stage, stage
from tests.lab import snapshot
from tests.lab.fixtures import require_lab

_CASES = cases(int(os.environ.get("SEED", "1")), sample="SWEEP" not in os.environ)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    require_lab()
    with stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.mark.parametrize("case", _CASES, ids=str)
def test_an_interrupted_run_is_finished_by_the_next(host: Stage, case: Case) -> None:
    inventory = host.set(case.point.run)
    run = Run(host.lab, inventory)
    run.reach(case.point.operation)
    time.sleep(case.point.after)
    with KINDS[case.kind](run):
        made = host.secrets()
        _finish(host, inventory)
    host.must_be_as_expected(case.point.run)
    assert running.pending(host.lab, inventory=inventory) == []
    # What an interrupted run had made is what the host goes on with.
    assert made.items() <= host.secrets().items()


def test_a_disk_that_is_full_before_the_run_is_an_error_and_no_loss(host: Stage) -> None:
    inventory = host.set("changed")
    before = digest.of(host.lab)
    snapshot.fill_disk(host.lab.name)
    try:
        run = Run(host.lab, inventory)
        run.must_fail()
    finally:
        snapshot.free_disk(host.lab.name)
    assert "No space left on device" in run.said
    changed = digest.differences(before, digest.of(host.lab))
    assert [line for line in changed if " kernel " not in line] == []
    host.finish(inventory)
    host.must_be_as_expected("changed")


def _finish(host: Stage, inventory: str) -> None:
    """Deploy, again for as long as a dead run's lock may last."""
    deadline = time.monotonic() + LEASE + 10
    while True:
        run = Run(host.lab, inventory)
        run.must_end()
        if "another deploy is at work there" not in run.said or time.monotonic() > deadline:
            break
        time.sleep(2)
    run.must_succeed()
