"""Memory of processes that come and go."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PAUSE = 0.1  # seconds


def proportional(pid: int) -> float:
    """MB of proportional set size: what is shared counts for each in part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1000
    raise ValueError("the kernel tells no Pss")


@contextmanager
def peak_while(session: int | None) -> Iterator[Callable[[], float]]:
    """Watch all processes of a session; the function gives the most MB that they had together."""
    done, most = threading.Event(), [0.0]

    def watch() -> None:
        while session is not None and not done.wait(_PAUSE):
            most[0] = max(most[0], sum(_of_session(session)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: most[0]
    finally:
        done.set()
        watcher.join()


def _of_session(session: int) -> Iterator[float]:
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                yield proportional(int(entry.name))
        except (OSError, ValueError):
            continue  # it has ended meanwhile
