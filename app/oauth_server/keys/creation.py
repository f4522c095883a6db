"""`oauth-server keys init`: a ring with one active key where there is none.

Every step is one rename or one new link, under a lock, and each run starts by finishing what a
killed one left. So a ring that is there is whole, and a key that is there is never replaced.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oauth_server.errors import OperatorError
from oauth_server.keys import ring as key_ring
from oauth_server.keys.jose import PrivateKey
from oauth_server.keys.ring import ACTIVE, PRIVATE, PUBLIC, RING

# 0711: a public key can be read by who knows its path, a directory be listed by its owner alone.
_DIRECTORY_MODE = 0o711
_PRIVATE_MODE = 0o700
_UNFINISHED = ".new-"
_SHORTCUTS = {"private_key.pem": PRIVATE, "public_key.pem": PUBLIC}


def init(directory: Path) -> str:
    """The kid of the active key, made if there was none. Raises OperatorError."""
    try:
        with _locked(directory):
            return _init(directory)
    except OSError as error:
        raise OperatorError(f"{error.filename or directory}: {error.strerror}") from None


def _init(directory: Path) -> str:
    ring = directory / RING
    if not ring.is_dir():
        ring.mkdir(_PRIVATE_MODE)
    for open_to_all in (directory, ring):  # again, too: a run may have been killed before
        open_to_all.chmod(_DIRECTORY_MODE)
    for leftover in ring.glob(_UNFINISHED + "*"):
        leftover.unlink() if leftover.is_symlink() else shutil.rmtree(leftover)
    if not (ring / ACTIVE).is_symlink():
        _link(ring / ACTIVE, _finished_key(ring) or _make_key(ring))
    kid = key_ring.load(directory).active.public.kid
    for name, file in _SHORTCUTS.items():
        _shortcut(directory / name, f"{RING}/{ACTIVE}/{file}")
    _sync(directory)
    return kid


def _finished_key(ring: Path) -> str | None:
    """A key that a killed run made and did not activate."""
    found = [path.parent.name for path in ring.glob(f"*/{PRIVATE}")]
    if len(found) > 1:
        raise OperatorError(
            f"{ring / ACTIVE}: is missing and there are several keys; link it to the one that signs"
        )
    return found[0] if found else None


def _make_key(ring: Path) -> str:
    key = PrivateKey.generate()
    new = ring / f"{_UNFINISHED}{key.public.kid}"
    new.mkdir(_PRIVATE_MODE)
    _write(new / PRIVATE, key.to_pem(), 0o600)
    _write(new / PUBLIC, key.public.to_pem(), 0o644)
    new.chmod(_DIRECTORY_MODE)
    _sync(new)
    new.rename(ring / key.public.kid)
    _sync(ring)
    return key.public.kid


def _shortcut(link: Path, target: str) -> None:
    if not os.path.lexists(link):
        _link(link, target)
    elif not link.is_symlink() or str(link.readlink()) != target:
        raise OperatorError(f"{link}: is in the way: it must be a symbolic link to {target}")


def _link(link: Path, target: str) -> None:
    link.symlink_to(target)
    _sync(link.parent)


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, mode)
        file.flush()
        os.fsync(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory, of which this user must be the owner, made if it is not there."""
    if not directory.is_dir():
        directory.mkdir(_PRIVATE_MODE, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if (owner := os.fstat(descriptor).st_uid) != os.geteuid():
            # Root's keys in the server's directory would be unreadable to the server.
            raise OperatorError(
                f"{directory}: belongs to user {owner}; only its owner may make keys in it"
            )
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # a killed process gives it up
        yield
    finally:
        os.close(descriptor)
