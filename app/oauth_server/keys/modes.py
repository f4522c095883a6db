"""The modes of what lies in a keys directory, put back where somebody changed them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from oauth_server.errors import OperatorError
from oauth_server.keys.layout import MODES

DIRECTORY = 0o711
"""A public key can be read by who knows its path, a directory be listed by its owner alone."""


def restore_directory(path: Path) -> None:
    """Raises OperatorError if it is not a directory of this user's."""
    status = _owned(path)
    if not stat.S_ISDIR(status.st_mode):
        raise OperatorError(f"{path}: is in the way: it must be a directory")
    _restore(path, status, DIRECTORY)


def restore_entry(entry: Path) -> None:
    """A directory of the ring and the keys in it. Raises OperatorError."""
    restore_directory(entry)
    for name, mode in MODES.items():
        path = entry / name
        if not os.path.lexists(path):
            continue
        status = _owned(path)
        if not stat.S_ISREG(status.st_mode):
            raise OperatorError(f"{path}: is not a regular file")
        _restore(path, status, mode)


def _owned(path: Path) -> os.stat_result:
    # Of the path itself: a link may lead to what no mode of ours is for. The directory that it
    # lies in had its mode put back before, so that nobody else can swap it meanwhile.
    status = path.lstat()
    if status.st_uid != os.geteuid():
        # Root's keys in the server's directory would be unreadable to the server.
        raise OperatorError(
            f"{path}: belongs to user {status.st_uid}; only its owner may make or mend keys in it"
        )
    return status


def _restore(path: Path, status: os.stat_result, mode: int) -> None:
    if stat.S_IMODE(status.st_mode) != mode:
        path.chmod(mode)
