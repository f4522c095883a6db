"""Live kernel settings."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch

from pyinfra.api import FactBase
from typing_extensions import override


class LiveSettings(FactBase[dict[str, str]]):
    """The value of each existing file among `paths` under /proc/sys, in one command.

    A path may have `*` in it; what does not exist, or can only be written, is left out.
    """

    @override
    def command(self, paths: list[str]) -> str:
        # Unquoted for the `*`: the schema lets nothing else through that the shell knows.
        return f"grep -Hs . {' '.join(paths)}; true"

    @override
    def process(self, output: Iterable[str]) -> dict[str, str]:
        return dict(line.split(":", 1) for line in output)

    @staticmethod
    @override
    def default() -> dict[str, str]:
        return {}


class OwnConntrack(FactBase[bool]):
    """Whether the sizes of the connection table are this host's to set.

    In a container they are read-only or, on old kernels, the machine's. A host that has not loaded
    nf_conntrack yet has them as soon as it does.
    """

    @override
    def command(self) -> str:
        size = "/proc/sys/net/netfilter/nf_conntrack_max"
        return (
            "systemd-detect-virt --quiet --container || "
            f"{{ test -e {size} && ! test -w {size}; }} || echo yes"
        )

    @override
    def process(self, output: Iterable[str]) -> bool:
        return [*output] == ["yes"]

    @staticmethod
    @override
    def default() -> bool:
        return False


def matching(live: dict[str, str], pattern: str) -> list[str]:
    """The paths among `live` that a path with `*` stands for."""
    return [path for path in live if matches(path, pattern)]


def matches(path: str, pattern: str) -> bool:
    """Whether `pattern` stands for `path`; `*` is one name, never a `/`."""
    return path.count("/") == pattern.count("/") and fnmatch(path, pattern)
