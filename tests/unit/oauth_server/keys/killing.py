"""Kills a process of its own at each moment in which it is about to change something."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

_CHANGES = {
    "os.mkdir", "os.rename", "os.symlink", "os.chmod", "os.remove", "os.rmdir", "shutil.rmtree"
}  # fmt: skip


def killed(directory: Path, moment: int, act: Callable[[], object]) -> bool:
    """Whether `act` was killed before its change number `moment`; otherwise it came to its end.

    Opening a file of the directory counts as a change: it may make one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside xdist's threads
        child = os.fork()
    if child == 0:
        _act(directory, moment, act)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def moments(directory: Callable[[], Path], act: Callable[[Path], object]) -> Iterator[Path]:
    """A fresh directory, killed at the first moment, at the second, and so on to the last."""
    moment = 1
    while True:
        fresh = directory()
        if not killed(fresh, moment, lambda: act(fresh)):  # noqa: B023 - called at once
            return
        yield fresh
        moment += 1


def _act(directory: Path, moment: int, act: Callable[[], object]) -> None:
    seen = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        opened = event == "open" and str(arguments[0]).startswith(str(directory))
        if opened or event in _CHANGES:
            seen += 1
            if seen == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(watch)
        act()
    except BaseException:  # noqa: BLE001 - the parent fails
        traceback.print_exc()
        os._exit(70)
    os._exit(0)
