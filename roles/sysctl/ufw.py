"""The kernel settings that ufw applies by itself, at each start and after all of sysctl.d."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles.sysctl.facts import matches
from roles.sysctl.settings import Setting, proc_path

_BEGIN = "# Begin of Portcullis' part: what stands above is not what this host is to run with."
_END = "# End of Portcullis' part."

# As ufw's own ufw-init-functions: the second file may have its word on the first one's variables.
_ASK = """\
test -s /etc/default/ufw && test -s /etc/ufw/ufw.conf || exit 0
. /etc/default/ufw
. /etc/ufw/ufw.conf
test -s "$IPT_SYSCTL" || exit 0
file=$(readlink -f "$IPT_SYSCTL")
stat -c '%U %G %04a %n' "$file"
cat "$file\""""


@dataclass(frozen=True)
class UfwSettings:
    """The file from which ufw applies kernel settings, whole."""

    path: str
    user: str
    group: str
    mode: str
    text: str


class UfwSysctlFile(FactBase["UfwSettings | None"]):
    """The file that ufw applies; None where there is no ufw, or it applies none.

    A ufw that is off counts as well: who switches it on must not lose the settings.
    """

    @override
    def command(self) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(_ASK))

    @override
    def process(self, output: Iterable[str]) -> UfwSettings | None:
        state, *lines = [*output] or [""]
        if not state:
            return None
        user, group, mode, path = state.split(" ", 3)
        return UfwSettings(path, user, group, mode, "".join(f"{line}\n" for line in lines))

    @staticmethod
    @override
    def default() -> None:
        return None


def agreeing(text: str, settings: list[Setting]) -> str:
    """The file's text with every value of `settings` that it contradicts set right at its end.

    Nobody else's line is touched: the last assignment wins. `text` may have been through here
    before.
    """
    own = _without_our_part(text)
    corrected = [
        f"{key} = {wanted}\n"
        for path, (key, value) in _assignments(own).items()
        if (wanted := _wanted(path, settings)) is not None and wanted != value
    ]
    if not corrected:
        return own
    return "".join([own, f"{_BEGIN}\n", *corrected, f"{_END}\n"])


def _without_our_part(text: str) -> str:
    kept, ours = [], False
    for line in text.splitlines(keepends=True):
        ours = ours or line.strip() == _BEGIN
        if not ours:
            kept.append(line)
        ours = ours and line.strip() != _END
    return "".join(kept)


def _assignments(text: str) -> dict[str, tuple[str, str]]:
    """By the kernel's path of each key: the key as spelt last, and its last value."""
    found = {}
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and stripped[0] not in "#;" and "=" in stripped:
            key, value = (part.strip() for part in stripped.removeprefix("-").split("=", 1))
            found[proc_path(key)] = (key, value)
    return found


def _wanted(path: str, settings: list[Setting]) -> str | None:
    """Our value for the kernel's path; one that names it counts before one that matches it."""
    ours = {proc_path(setting.key): str(setting.value) for setting in settings}
    if path in ours:
        return ours[path]
    matching = [ours[pattern] for pattern in ours if matches(path, pattern)]
    return matching[-1] if matching else None
