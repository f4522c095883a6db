"""Directories, and files whose content is somebody else's: who owns them, and who may what."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from shlex import quote

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles.questions import operation


@dataclass(frozen=True)
class Directory:
    """`mode` is four octal digits."""

    path: str
    user: str = "root"
    group: str = "root"
    mode: str = "0755"


class PathStates(FactBase[dict[str, str]]):
    """Kind, owner and mode of each of `paths` that is there, such as `directory root:root 0755`."""

    @override
    def command(self, paths: list[str]) -> StringCommand:
        quoted = [QuoteString(path) for path in paths]
        return StringCommand("stat -c '%n %F %U:%G %04a' --", *quoted, "2>/dev/null; true")

    @override
    def process(self, output: Iterable[str]) -> dict[str, str]:
        # No path of ours has a space in it.
        return {path: state for path, _, state in (line.partition(" ") for line in output)}

    @staticmethod
    @override
    def default() -> dict[str, str]:
        return {}


# Root follows no link that somebody has put there. chmod takes a setgid bit away from a directory
# only where the mode has five digits.
_MAKE = """\
set -eu
path={path}
if test -L "$path" || {{ test -e "$path" && ! test -{kind} "$path"; }}; then
  echo "$path is in the way: it is no {what}" >&2; exit 1
fi
umask 077
test -e "$path" || {make} "$path"
chown {owner} "$path"
chmod 0{mode} "$path"
"""


@operation()
def directories(wanted: Iterable[Directory]) -> Generator[StringCommand, None, None]:
    """Keep directories with these owners and modes; parents come before what is in them."""
    wanted = tuple(wanted)
    found = host.get_fact(PathStates, paths=[directory.path for directory in wanted])
    for one in wanted:
        if found.get(one.path) == f"directory {one.user}:{one.group} {one.mode}":
            host.noop(f"{one.path} is as it should be")
            continue
        yield _made(one, kind="d", what="directory", make="mkdir -p")


@operation()
def owned_file(path: str, user: str, group: str, mode: str) -> Generator[StringCommand, None, None]:
    """Keep a file, whatever is in it, with this owner and mode of four octal digits."""
    found = host.get_fact(PathStates, paths=[path]).get(path, "")
    if found.replace("regular empty file", "regular file") == f"regular file {user}:{group} {mode}":
        host.noop(f"{path} is as it should be")
        return
    yield _made(Directory(path, user, group, mode), kind="f", what="file", make="touch")


def _made(wanted: Directory, kind: str, what: str, make: str) -> StringCommand:
    script = _MAKE.format(
        path=quote(wanted.path),
        owner=quote(f"{wanted.user}:{wanted.group}"),
        mode=wanted.mode,
        kind=kind,
        what=what,
        make=make,
    )
    return StringCommand("sh", "-c", QuoteString(script))
