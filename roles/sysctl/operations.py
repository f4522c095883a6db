"""Kernel settings, live."""

from __future__ import annotations

from collections.abc import Generator
from shlex import quote

from pyinfra import host
from pyinfra.api import StringCommand

from roles.guard import guarded
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
    differing = {path: value for path, value in wanted.items() if live[path] != value}
    if not differing:
        host.noop("the kernel runs with what is configured")
        return
    former = {path: live[path] for path in differing}
    yield from guarded(
        "apply kernel settings", f"echo {quote(_written(former))}", _written(differing)
    )


def _written(values: dict[str, str]) -> str:
    pairs = [quote(f"{path.removeprefix('/proc/sys/')}={value}") for path, value in values.items()]
    return " ".join(["sysctl", "--quiet", "-w", *pairs])
