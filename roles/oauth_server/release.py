"""Releases: the server and its locked dependencies in one tree, named after its content.

A release is built on this machine for a Python and an architecture, so that hosts need neither
pip nor the internet. Its name is the SHA-256 of its SHA256SUMS, which holds the digest of every
other file: whoever has the name can check the whole tree, today or before a rollback.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from threading import RLock
from typing import IO

import gevent
from uv import find_uv_bin

from roles.errors import DeployError
from roles.platform import Target

_ROOT = Path(__file__).resolve().parent.parent.parent
_APP = _ROOT / "app"
_LOCK = _APP / "requirements.lock"
_TOKEN_LOCK = _APP / "requirements-pkcs11.lock"
_CACHE = _ROOT / ".cache" / "releases"
_MANIFEST = "SHA256SUMS"
_MAIN = """\
import sys

from oauth_server.cli import main

sys.exit(main())
"""

# glibc 2.28 is older than that of every supported platform.
_WHEELS = "manylinux_2_28"

# What an installer notes about itself differs from machine to machine; scripts carry its path.
_INSTALLERS_NOTES = ("bin", ".lock", "*.dist-info/RECORD", "*.dist-info/INSTALLER",
                     "*.dist-info/REQUESTED", "*.dist-info/direct_url.json",
                     "*.dist-info/uv_cache.json")  # fmt: skip


class ReleaseError(DeployError):
    """A release could not be built."""


@dataclass(frozen=True)
class Release:
    """A built release: its name, and the archive that unpacks to it."""

    digest: str
    archive: Path


# Hosts are prepared at once, in greenlets: the first that needs a release builds it for all.
_building = RLock()


def build(target: Target, *, tokens: bool = False) -> Release:
    """The release for the target's Python and architecture, from the cache if it is there.

    With `tokens` it has the library for PKCS#11 besides, a quarter more.

    Raises ReleaseError with uv's own words when a wheel cannot be had.
    """
    lock = _TOKEN_LOCK if tokens else _LOCK
    with _building:
        directory = _CACHE / _inputs(target, lock)
        for archive in directory.glob("*.tar.gz"):
            return Release(archive.name.removesuffix(".tar.gz"), archive)
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory) as scratch:
            tree = Path(scratch) / "tree"
            _install_dependencies(tree, target, lock)
            _add_server(tree)
            digest = _write_manifest(tree)
            packed = Path(scratch) / "release.tar.gz"
            # Not here: the greenlets that keep connections and deploy locks alive would wait.
            with packed.open("wb") as file:
                gevent.get_hub().threadpool.apply(_pack, (tree, file))
            archive = packed.rename(directory / f"{digest}.tar.gz")
        return Release(digest, archive)


def _inputs(target: Target, lock: Path) -> str:
    """A digest of everything that a release is made from, to find one that was built before."""
    built_from = digest(Path(__file__), lock, *server_files())
    inputs = f"{target.python.version} {target.architecture}\n{built_from}\n"
    return hashlib.sha256(inputs.encode()).hexdigest()[:32]


@cache
def digest(*paths: Path) -> str:
    """A digest of the names and contents of files of this repository, which a run reads once."""
    contents = hashlib.sha256()
    for path in paths:
        contents.update(f"{path.relative_to(_ROOT)}\n".encode())
        contents.update(hashlib.sha256(path.read_bytes()).digest())
    return contents.hexdigest()


def server_files() -> list[Path]:
    """What the server is made of, without what it is built on."""
    return [path for path in _files(_APP / "oauth_server") if "__pycache__" not in path.parts]


def _files(tree: Path) -> list[Path]:
    return sorted(path for path in tree.rglob("*") if path.is_file())


def _install_dependencies(tree: Path, target: Target, lock: Path) -> None:
    command = [
        *(find_uv_bin(), "pip", "install", "--quiet", "--require-hashes", "--no-deps"),
        *("--only-binary", ":all:", "--link-mode", "copy", "--target", str(tree)),
        *("--python-version", target.python.version),
        *("--python-platform", f"{target.architecture}-{_WHEELS}"),
        *("--requirement", str(lock)),
    ]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        raise ReleaseError(
            f"the release for Python {target.python.version} on {target.architecture} cannot be "
            f"built:\n{result.stdout.strip()}"
        )
    for pattern in _INSTALLERS_NOTES:
        for path in tree.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _add_server(tree: Path) -> None:
    for source in server_files():
        copy = tree / source.relative_to(_APP)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    (tree / "__main__.py").write_text(_MAIN)


def _write_manifest(tree: Path) -> str:
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n"
        for path in _files(tree)
    ]
    manifest = "".join(lines).encode()
    (tree / _MANIFEST).write_bytes(manifest)
    return hashlib.sha256(manifest).hexdigest()


def _pack(tree: Path, file: IO[bytes]) -> None:
    """A tar in which only names and contents are from this machine."""
    with (
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for member, content in _members(tree):
            tar.addfile(member, content)


def _members(tree: Path) -> Iterator[tuple[tarfile.TarInfo, BytesIO]]:
    for path in _files(tree):
        content = path.read_bytes()
        member = tarfile.TarInfo(str(path.relative_to(tree)))
        member.size = len(content)
        member.mode = 0o644
        yield member, BytesIO(content)
