"""Drop-ins of ours beside the distribution's units, which stay as they are."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.operation import OperationMeta

from roles.files import managed_file
from roles.paths import Directory, directories

# The unit and the candidate meet in a directory of their own, as they would in systemd's.
_VERIFY = """\
mkdir -p "$stage/units/{unit}.d"
cp "$candidate" "$stage/units/{unit}.d/"
cp "$(systemctl show --property=FragmentPath --value {unit})" "$stage/units/{unit}"
said=$(systemd-analyze verify --man=no "$stage/units/{unit}" 2>&1) || {{
  echo "$said" >&2; exit 1; }}
case "$said" in *"$stage"*) echo "$said" >&2; exit 1;; esac"""


@dataclass(frozen=True)
class DropIn:
    """`path` feeds the unit; `written` is the operation that writes it."""

    path: str
    written: OperationMeta


def drop_in(unit: str, content: str, *, of: str, control: str) -> DropIn:
    """Keep a drop-in of which systemd knows every line; `of` is whose it is, in a plan's words."""
    directory = f"/etc/systemd/system/{unit}.d"
    path = f"{directory}/portcullis.conf"
    directories(
        name=f"Make the directory of {of} drop-ins [{control}]", wanted=[Directory(directory)]
    )
    written = managed_file(
        name=f"Write {of} drop-in [{control}]",
        path=path,
        content=content,
        check=_VERIFY.format(unit=unit),
    )
    return DropIn(path, written)
