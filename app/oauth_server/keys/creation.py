"""`oauth-server keys init`: a ring with one active key where there is none.

Every step is one rename or one new link, under a lock, and each run starts by finishing what a
killed one left, and by putting back modes that somebody changed. So a ring that is there is whole,
and a key that is there is never replaced.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oauth_server.errors import OperatorError
from oauth_server.keys import modes
from oauth_server.keys import ring as key_ring
from oauth_server.keys.jose import PrivateKey
from oauth_server.keys.ring import ACTIVE, PRIVATE, PUBLIC, RING
from oauth_server.models import Algorithm

_UNFINISHED_MODE = 0o700
_UNFINISHED = ".new-"
_SHORTCUTS = {"private_key.pem": PRIVATE, "public_key.pem": PUBLIC}


def init(directory: Path, algorithm: Algorithm = Algorithm.RS256) -> str:
    """The kid of the active key, made if there was none. Raises OperatorError."""
    try:
        with _locked(directory):
            return _init(directory, algorithm)
    except OSError as error:
        raise OperatorError(f"{error.filename or directory}: {error.strerror}") from None


def _init(directory: Path, algorithm: Algorithm) -> str:
    ring = directory / RING
    if not os.path.lexists(ring):
        ring.mkdir(_UNFINISHED_MODE)
    modes.restore_directory(ring)
    for leftover in ring.glob(_UNFINISHED + "*"):
        if not stat.S_ISDIR(leftover.lstat().st_mode):
            raise OperatorError(
                f"{leftover}: is in the way: {_UNFINISHED} is for directories of keys being made"
            )
        shutil.rmtree(leftover)
    for entry in key_ring.entries(ring):
        modes.restore_entry(entry)
    if not os.path.lexists(ring / ACTIVE):
        _link(ring / ACTIVE, _finished_key(ring) or _make_key(ring, algorithm))
    kid = key_ring.load(directory, algorithm).active.public.kid
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


def _make_key(ring: Path, algorithm: Algorithm) -> str:
    key = PrivateKey.generate(algorithm)
    new = ring / f"{_UNFINISHED}{key.public.kid}"
    new.mkdir(_UNFINISHED_MODE)
    _write(new / PRIVATE, key.to_pem())
    _write(new / PUBLIC, key.public.to_pem())
    new.chmod(modes.DIRECTORY)
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


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, modes.FILES[path.name])
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
        directory.mkdir(_UNFINISHED_MODE, exist_ok=True)
    modes.restore_directory(directory.resolve())
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # a killed process gives it up
        yield
    finally:
        os.close(descriptor)
