"""Changes to users.json: whole or not at all, one at a time, and the mode stays."""

from __future__ import annotations

import fcntl
import grp
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oauth_server import users
from oauth_server.errors import OperatorError
from oauth_server.users import DEPLOY, User, Users

_MODE = 0o640
_GROUP = "oauth_group"
_PATIENCE = 10.0  # seconds; a change takes a few milliseconds


@contextmanager
def changed(path: Path) -> Iterator[dict[str, User]]:
    """The users by name, to be changed in the body; what they are at its end is written.

    Who comes meanwhile waits, for a while. Raises OperatorError, also for a file that the inventory
    owns.
    """
    directory = _directory(path)
    try:
        _lock(directory, path)
        present = users.load(path)
        refuse_deploys(path, present)
        by_name = dict(present)
        yield by_name
        _write(path, by_name, directory)
    finally:
        os.close(directory)


def refuse_deploys(path: Path, present: Users) -> None:
    """Raises OperatorError: the next deploy would undo a change."""
    if present.managed_by == DEPLOY:
        raise OperatorError(
            f"{path}: belongs to the deploy: change the users in the inventory and deploy"
        )


def _directory(path: Path) -> int:
    """Locked instead of the file, which is replaced."""
    try:
        return os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise OperatorError(f"{path.parent}: {error.strerror}") from None


def _lock(directory: int, path: Path) -> None:
    """Whoever can read the directory can hold the lock: to wait for ever would be their choice."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise OperatorError(
                    f"{path}: somebody else is changing it; `lslocks` shows who"
                ) from None
            time.sleep(0.02)
        else:
            return


def _write(path: Path, by_name: dict[str, User], directory: int) -> None:
    entries = [_entry(user) for user in by_name.values()]
    content = json.dumps({"users": entries}, indent=2) + "\n"
    try:
        owner, group, mode = _attributes(path)
        # One name, which the lock keeps to one writer: what a killed one left goes with the next.
        written = path.with_name(f".{path.name}.new")
        written.unlink(missing_ok=True)
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                # The group before the mode: nobody else may read it in between.
                os.fchown(file.fileno(), owner, group)
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            written.replace(path)
        except BaseException:
            written.unlink()
            raise
        os.fsync(directory)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be written: {error.strerror}") from None


def _entry(user: User) -> dict[str, object]:
    entry: dict[str, object] = {"username": user.username, "password_hash": user.password_hash}
    return {**entry, "disabled": True} if user.disabled else entry


def _attributes(path: Path) -> tuple[int, int, int]:
    """Owner, group and mode; of a new file, what lets the server read it and nobody else."""
    try:
        status = path.stat()
    except FileNotFoundError:
        try:
            return -1, grp.getgrnam(_GROUP).gr_gid, _MODE
        except KeyError:  # a machine without the service
            return -1, -1, 0o600
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)
