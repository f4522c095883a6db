"""tests.deploy.sweep.points: where deploys are interrupted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.deploy.sweep.interruptions import KINDS
from tests.deploy.sweep.points import POINTS, cases

_ROLES = Path(__file__).resolve().parents[2] / "roles"


@pytest.mark.parametrize("operation", sorted({point.operation for point in POINTS}))
def test_every_point_is_an_operation_of_the_deploy(operation: str) -> None:
    assert any(f'name="{operation}' in file.read_text() for file in _ROLES.rglob("*.py"))


@pytest.mark.parametrize("seed", range(20))
def test_every_seed_gives_each_point_once_and_each_kind_equally_often(seed: int) -> None:
    every = cases(seed, sample=False)
    assert [case.point for case in every] == list(POINTS)
    assert Counter(case.kind for case in every) == dict.fromkeys(KINDS, 5)
    assert cases(seed, sample=False) == every


@pytest.mark.parametrize("seed", range(20))
def test_a_sample_has_each_kind_once_and_points_of_both_runs(seed: int) -> None:
    some = cases(seed, sample=True)
    assert sorted(case.kind for case in some) == sorted(KINDS)
    assert {case.point.run for case in some} == {"first", "changed"}
    assert cases(seed, sample=True) == some


def test_another_seed_is_another_sweep() -> None:
    assert cases(1, sample=False) != cases(2, sample=False)
