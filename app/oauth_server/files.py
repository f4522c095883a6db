"""Reads the files of an operator: none can make the server wait, or fill its memory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from oauth_server.errors import OperatorError

SMALL = 64 * 1024
"""More than anything that a person writes or that holds a key."""


def missing(path: Path) -> bool:
    """Whether there is none. One that this user may not look at is none that is missing."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:  # who reads it is told
        return False
    return False


def read(path: Path, *, max_bytes: int = SMALL, through_link: bool = True) -> tuple[bytes, int]:
    """A regular file's content and mode, both of the same file. Raises OperatorError."""
    # Opening a FIFO must not block, nor a terminal become the server's.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags if through_link else flags | os.O_NOFOLLOW)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OperatorError(f"{path}: is not a regular file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(max_bytes + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}") from None
    if len(content) > max_bytes:
        raise OperatorError(f"{path}: is larger than {max_bytes // 1024} KiB")
    return content, stat.S_IMODE(status.st_mode)


def read_text(path: Path, *, max_bytes: int = SMALL) -> str:
    """Of a regular file in UTF-8. Raises OperatorError."""
    content, _ = read(path, max_bytes=max_bytes)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path}: is not UTF-8 (byte {error.start})") from None
