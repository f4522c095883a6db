"""Kernel settings, live."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand

from roles.questions import operation
from roles.sysctl.facts import LiveSettings, matching
from roles.sysctl.settings import Setting, proc_path


@operation()
def applied(settings: list[Setting]) -> Generator[StringCommand, None, None]:
    """Let the kernel run with `settings`; where two meet, the later one counts.

    Only what differs is written, key by key: `sysctl -p` of procps 3 (Ubuntu 22.04, EL 9) does
    not know the `*` that systemd reads at boot, and `sysctl --system` would apply others' files.
    """
    paths = [proc_path(setting.key) for setting in settings]
    live = host.get_fact(LiveSettings, paths=paths)
    wanted = {
        found: str(setting.value)
        for setting, pattern in zip(settings, paths, strict=True)
        for found in matching(live, pattern)
    }
    differing = [
        QuoteString(f"{path.removeprefix('/proc/sys/')}={value}")
        for path, value in wanted.items()
        if live[path] != value
    ]
    if not differing:
        host.noop("the kernel runs with what is configured")
        return
    yield StringCommand("sysctl", "--quiet", "-w", *differing)
