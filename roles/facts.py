"""What the deploy asks of a host and pyinfra has no fact for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles import history
from roles.platform import parse_os_release

MASKED = "*MASKED*"


@dataclass(frozen=True)
class System:
    """A host's os-release, its machine name as in uname(1), its Python versions, who booted it.

    `own_python` is the version that /usr/bin/python3 leads to, if that is one of /usr/bin's.
    """

    os_release: dict[str, str]
    architecture: str
    pythons: set[str]
    own_python: str | None
    systemd: bool


class HostSystem(FactBase[System]):
    """The host's system, in one command."""

    _PYTHONS = "/usr/bin/python3.[0-9] /usr/bin/python3.[0-9][0-9]"

    @override
    def command(self) -> str:
        return (
            f"uname -m; for python in {self._PYTHONS}; do test -x $python && echo $python; done; "
            'echo "own $(readlink -f /usr/bin/python3)"; '
            # sd_booted(3)
            "test -d /run/systemd/system && echo systemd; echo --; cat /etc/os-release"
        )

    @override
    def process(self, output: Iterable[str]) -> System:
        machine, _, os_release = "\n".join(output).partition("\n--\n")
        architecture, *found = machine.splitlines()
        own = [line.removeprefix("own ") for line in found if line.startswith("own ")]
        return System(
            os_release=parse_os_release(os_release),
            architecture=architecture,
            pythons=_versions(found),
            own_python=next(iter(_versions(own)), None),
            systemd="systemd" in found,
        )


def _versions(paths: list[str]) -> set[str]:
    """The X.Y of each path that is /usr/bin/pythonX.Y."""
    named = (re.fullmatch(r"/usr/bin/python(\d+\.\d+)", path) for path in paths)
    return {match[1] for match in named if match}


@dataclass(frozen=True)
class FileState:
    """Owner, group, mode as four octal digits, and the SHA-256 of the content in hex.

    `origin` is whence that content is, in the words of roles.history.
    """

    user: str
    group: str
    mode: str
    sha256: str
    origin: str = field(default=history.OURS, compare=False)


class FileStates(FactBase[dict[str, FileState]]):
    """The state of each regular file among `paths`, in one command; the others are left out."""

    @override
    def command(self, paths: list[str]) -> StringCommand:
        quoted = [QuoteString(path) for path in paths]
        return StringCommand(
            "for path in",
            *quoted,
            '; do test -f "$path" && test ! -L "$path" && stat -c "%U %G %04a" -- "$path" &&',
            'sum=$(sha256sum < "$path") && sum=${sum%% *} && echo "$sum" && echo "$path" && {',
            history.origin(),
            "; }; done; true",
        )

    @override
    def process(self, output: Iterable[str]) -> dict[str, FileState]:
        lines = list(output)
        states = {}
        for stat, digest, path, origin in zip(*(lines[n::4] for n in range(4)), strict=True):
            user, group, mode = stat.split()
            states[path] = FileState(user, group, mode, digest, origin)
        return states

    @staticmethod
    @override
    def default() -> dict[str, FileState]:
        return {}


class FileText(FactBase[list[str]]):
    """The lines of a file, or none; what matches `mask` is taken out on the host already.

    `mask` is an extended regular expression without a slash.
    """

    @override
    def command(self, path: str, mask: str | None = None) -> StringCommand:
        edit = QuoteString(f"s/{mask}/{MASKED}/g" if mask else "")
        return StringCommand("sed -E", edit, QuoteString(path), "2>/dev/null || true")

    @override
    def process(self, output: Iterable[str]) -> list[str]:
        return list(output)

    @staticmethod
    @override
    def default() -> list[str]:
        return []
