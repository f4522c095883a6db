"""Deployed lab hosts under attack, one of each kind, and this machine's way out, watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.attacks.arena import Exit, arena, guarded_exit
from tests.attacks.measure import Calls, Scene
from tests.attacks.requests import token_request
from tests.deploy import running
from tests.lab.fixtures import MakeLab, make_lab

__all__ = ["MakeLab", "make_lab"]


@pytest.fixture(scope="module")
def scene_of(make_lab: MakeLab) -> Iterator[Callable[[str], Scene]]:
    """Build the scene with a host of that kind when it is first asked for."""
    with ExitStack() as cleanup:

        @cache
        def build(kind: str) -> Scene:
            lab = make_lab(kind)
            running.deploy(lab)
            built = cleanup.enter_context(arena(lab))
            return Scene(built, Calls(token_request(lab_json=lab.lab_json)))

        yield build


@pytest.fixture(scope="module")
def way_out() -> Iterator[Exit]:
    with guarded_exit() as watched:
        yield watched


@pytest.fixture
def scene(scene_of: Callable[[str], Scene], way_out: Exit, kind: str) -> Iterator[Scene]:
    built = scene_of(kind)
    assert way_out.left == 0
    yield built
    assert way_out.left == 0, "of the attack something was on its way out of this machine"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.lab)
