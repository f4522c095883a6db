"""Values of the host's own that are stricter than ours: they stay, live and in our file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pyinfra.api import FactBase
from typing_extensions import override

from roles.sysctl.facts import matching
from roles.sysctl.settings import Setting, proc_path

# Files sort by name over all directories, and the last one wins: 99-sysctl.conf, which is
# /etc/sysctl.conf, would beat any number (sysctl.d(5)).
DROP_IN = "/etc/sysctl.d/zz-portcullis.conf"
_KEPT = "kept: the host's own value is stricter than"


class OwnValues(FactBase[dict[str, str]]):
    """What our drop-in sets by path, without what it only keeps.

    Such a live value is no will of the host's: the inventory that asked for it may do so no more.
    """

    @override
    def command(self) -> str:
        return f"cat {DROP_IN} 2> /dev/null; true"

    @override
    def process(self, output: Iterable[str]) -> dict[str, str]:
        values, kept = {}, False
        for line in output:
            if line.startswith("#"):
                kept = _KEPT in line
            elif "=" in line and not kept:
                key, value = (part.strip() for part in line.split("=", 1))
                values[proc_path(key)] = value
        return values

    @staticmethod
    @override
    def default() -> dict[str, str]:
        return {}


def keeping(
    settings: Iterable[Setting], live: dict[str, str], own: dict[str, str]
) -> list[Setting]:
    """`settings` with the host's stricter values in the place of ours, at the end.

    Where two settings meet in a path, the later one decides. What `own` says is ours.
    """
    settings = list(settings)
    deciding = {
        path: setting for setting in settings for path in matching(live, proc_path(setting.key))
    }
    kept = {
        path: _kept(setting, path, int(live[path]))
        for path, setting in deciding.items()
        if live[path] != own.get(path) and setting.stricter and setting.yields_to(int(live[path]))
    }
    return [*(s for s in settings if proc_path(s.key) not in kept), *kept.values()]


def _kept(setting: Setting, path: str, value: int) -> Setting:
    key = path.removeprefix("/proc/sys/") if "*" in setting.key else setting.key
    return replace(setting, key=key, value=value, reason=f"{_KEPT} {setting.value}")


def is_kept(setting: Setting) -> bool:
    return setting.reason.startswith(_KEPT)
