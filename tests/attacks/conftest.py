"""A deployed lab host under attack, and this machine's way out, watched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.arena import Arena, Exit, arena, guarded_exit
from tests.attacks.measure import Calls
from tests.attacks.requests import token_request
from tests.deploy import running
from tests.lab.fixtures import MakeLab, RunningLab, lab, make_lab

__all__ = ["MakeLab", "lab", "make_lab"]


@pytest.fixture(scope="session")
def way_out(lab: RunningLab) -> Iterator[Exit]:
    with guarded_exit(lab) as watched:
        yield watched


@pytest.fixture(scope="session")
def ours(way_out: Exit, lab: RunningLab) -> Iterator[Arena]:
    assert way_out.left == 0
    running.deploy(lab)
    with arena(lab) as built:
        yield built


@pytest.fixture(scope="session")
def calls(ours: Arena) -> Calls:
    return Calls(token_request(lab_json=ours.lab.lab_json))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.lab)
