"""roles.fast_pyinfra: the same as pyinfra's own, and nothing that is slow."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import cast

import pyinfra
import pytest
from pyinfra.api import State, arguments, util

from roles.fast_pyinfra import place, quicken

operation = import_module("pyinfra.api.operation")


@pytest.mark.parametrize("is_cli", [True, False])
@pytest.mark.parametrize("deploy_file", [__file__, "elsewhere.py", None])
def test_an_operations_place_is_the_one_that_pyinfra_finds(
    is_cli: bool, deploy_file: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyinfra, "is_cli", is_cli)
    known = {"current_deploy_filename": deploy_file, "current_op_file_number": 7}
    state = cast("State", SimpleNamespace(**known))

    def role() -> tuple[list[int], list[int]]:
        return place(state), util.get_operation_order_from_stack(state)

    ours, theirs = role()
    assert ours == theirs
    if deploy_file == __file__:
        assert len(ours) == 2 + is_cli


def test_pyinfra_is_still_what_this_was_written_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names that are replaced are those that pyinfra calls."""
    for module, name in (
        (operation, "get_operation_order_from_stack"),
        (arguments, "all_global_arguments"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))
        assert name in (
            operation.solve_operation_consistency.__code__.co_names
            + arguments.pop_global_arguments.__code__.co_names
        )
    before = arguments.all_global_arguments()
    quicken()
    quicken()
    assert operation.get_operation_order_from_stack is place
    assert arguments.all_global_arguments() == before
    assert arguments.all_global_arguments() is arguments.all_global_arguments()
