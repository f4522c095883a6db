"""Where a lab keeps its files: root's own on the machine, and the user's in the checkout."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import console
from tests.lab.machine import run

CHECKOUT = Path(__file__).resolve().parents[2]
RUNTIME = Path("/var/lib/portcullis-lab")
CACHE = Path("/var/cache/portcullis")
IMAGES = CACHE / "images"
PACKAGES = CACHE / "packages"


def runtime(lab: str) -> Path:
    """Give the directory of the lab's hosts: root's, 0700."""
    return RUNTIME / lab


def described(checkout: Path, lab: str) -> Path:
    """Give the directory with what the user needs of a lab: keys, ssh_config, lab.json."""
    return checkout / ".lab" / lab


@contextmanager
def locked(directory: Path, why_wait: str) -> Iterator[None]:
    """Hold the directory, made if missing, for this process alone; say so when that takes waiting.

    The lock is the kernel's and lies on the directory itself: it ends with its holder, however
    that ends, and leaves no file. A directory that its last holder removed is made again.
    """
    while True:
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                console.note(f"waiting: {why_wait}")
                fcntl.flock(held, fcntl.LOCK_EX)
            if not _is_at(held, directory):
                continue
            yield
            return
        finally:
            os.close(held)


def _is_at(held: int, directory: Path) -> bool:
    try:
        there = directory.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(held), there)


def remove_tree(directory: Path) -> None:
    """Remove the directory and all in it, files marked immutable by a test included.

    Nothing is removed through a mount: one that somebody left below is undone first.
    """
    for mount in sorted(mounts_below(directory), reverse=True):
        run("umount", mount)
    if not directory.exists():
        return
    try:
        shutil.rmtree(directory)
    except PermissionError:
        subprocess.run(["chattr", "-R", "-f", "-i", "-a", str(directory)], check=False)
        shutil.rmtree(directory)


def mounts_below(directory: Path) -> list[str]:
    """List the mount points at or below a directory."""
    points = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # proc(5): white space and backslashes in a mount point are written in octal.
        point = line.split()[4].encode().decode("unicode_escape")
        if Path(point).is_relative_to(directory):
            points.append(point)
    return points


def write(path: Path, text: str, mode: int) -> None:
    """Replace a file whole, a power cut included, with its mode from the first byte on."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    fresh.rename(path)
