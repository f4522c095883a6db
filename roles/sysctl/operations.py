"""Kernel settings, live."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from roles.sysctl.facts import LiveSettings, matching
from roles.sysctl.settings import Setting, proc_path


@operation()
def applied(path: str, settings: list[Setting]) -> Generator[StringCommand, None, None]:
    """Let the kernel run with `settings`, which the drop-in at `path` holds, and touch no other."""
    paths = [proc_path(setting.key) for setting in settings]
    live = host.get_fact(LiveSettings, paths=paths)
    wanted = {
        found: str(setting.value)
        for setting, pattern in zip(settings, paths, strict=True)
        for found in matching(live, pattern)
    }
    if wanted == live:
        host.noop("the kernel runs with what is configured")
        return
    yield StringCommand("sysctl", "--quiet", "-p", QuoteString(path))
