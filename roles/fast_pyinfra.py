"""What pyinfra 3.10 works out at length for every operation and fact.

It is some 10 ms of processor time an operation, for each host. Each can go when pyinfra does it.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from types import FrameType
from typing import Protocol

import pyinfra
from pyinfra.api import arguments, util


class _State(Protocol):
    current_deploy_filename: str | None
    current_op_file_number: int


def quicken() -> None:
    """Replace two functions of pyinfra by ones that do the same."""
    # `pyinfra.api.operation` names the decorator in it.
    operation = import_module("pyinfra.api.operation")
    operation.get_operation_order_from_stack = place  # type: ignore[attr-defined]
    # The global arguments' types are evaluated from their text at each call.
    if not hasattr(arguments.all_global_arguments, "cache_info"):
        arguments.all_global_arguments = cache(arguments.all_global_arguments)


def place(state: _State) -> list[int]:
    """Where an operation is called: the lines of the stack from the deploy file on.

    pyinfra's own has inspect look up module and source of each frame, twice; nobody reads them.
    """
    frames: list[FrameType] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    frames.reverse()
    begin = 0
    if deploy_file := state.current_deploy_filename:
        found = (i for i, one in enumerate(frames) if one.f_code.co_filename == deploy_file)
        begin = next(found, len(frames))
    lines = [
        one.f_lineno
        for one in frames[begin:]
        if not one.f_code.co_filename.startswith(util.PYINFRA_INSTALL_DIR)
    ]
    return [state.current_op_file_number, *lines] if pyinfra.is_cli else lines
