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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.lab)
