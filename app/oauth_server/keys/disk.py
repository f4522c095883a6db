"""The steps that change a keys directory: each is atomic, and on the disk when it returns."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oauth_server.errors import OperatorError
from oauth_server.keys import modes

_NEW = ".{}.new"

_journal = logging.getLogger("oauth_server")


def make_directory(path: Path) -> None:
    """For its owner alone until it is whole."""
    path.mkdir(0o700)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """A file that is not there yet. Nobody else can read it before it has its mode."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, mode)
        file.flush()
        os.fsync(descriptor)


def write(path: Path, content: bytes, mode: int) -> None:
    """A file's new content, whole or not at all."""
    new = path.with_name(_NEW.format(path.name))
    new.unlink(missing_ok=True)  # a killed run's
    write_new(new, content, mode)
    rename(new, path)


def link(path: Path, target: str) -> None:
    """A symbolic link to `target`, in the place of one that may be there."""
    new = path.with_name(_NEW.format(path.name))
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    rename(new, path)


def sweep(directory: Path) -> None:
    """Remove what a killed run was about to put in the place of something."""
    for leftover in directory.glob(_NEW.format("*")):
        leftover.unlink()


def rename(old: Path, new: Path) -> None:
    """Within one directory."""
    old.rename(new)
    sync(new.parent)


def finish(directory: Path) -> None:
    """Let a directory that was made for its owner alone be passed through."""
    directory.chmod(modes.DIRECTORY)
    sync(directory)


def remove_file(path: Path) -> None:
    path.unlink()
    sync(path.parent)


def remove_tree(path: Path) -> None:
    shutil.rmtree(path)


def sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a keys directory, of which this user must be the owner, made if it is not there.

    Who comes meanwhile waits; a killed process gives it up. Raises OperatorError.
    """
    try:
        if not directory.is_dir():
            directory.mkdir(0o700, exist_ok=True)
        modes.restore_directory(directory.resolve())
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # A token may take minutes for a key.
                _journal.warning("%s: another command is at work there; this one waits", directory)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        raise OperatorError(f"{error.filename or directory}: {error.strerror}") from None
