"""One lab host, deployed once for all tests that only look or put back what they changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy import running
from tests.lab.fixtures import MakeLab, RunningLab, lab, make_lab

__all__ = ["MakeLab", "lab", "make_lab"]


@pytest.fixture(scope="session")
def deployed(lab: RunningLab) -> RunningLab:
    running.deploy(lab)
    return lab


# From two minutes up. Whoever gets one of these last works on while the others have nothing to do:
# xdist would begin with the files of many tests, and these have few.
_LONG = (
    "test_lockout.py", "test_fleet_changes.py", "test_sweep.py", "test_firewall_table.py",
    "test_acme.py", "test_time.py", "test_rotation_kills.py", "test_converge.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.lab)
    turns = {name: turn for turn, name in enumerate(_LONG)}
    items.sort(key=lambda item: turns.get(item.path.name, len(turns)))
