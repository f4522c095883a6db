"""A release is the same bytes wherever it is built, and its name proves its content."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import IO

import gevent
import pytest

from roles.oauth_server import release as release_module
from roles.oauth_server.release import Release, ReleaseError, build
from roles.platform import PYTHONS, Platform, Target

TARGET = Target(Platform.DEBIAN_12, "x86_64", PYTHONS[Platform.DEBIAN_12])


@pytest.fixture(scope="module")
def built() -> Release:
    return build(TARGET)


@pytest.fixture(scope="module")
def tree(built: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("release")
    # As the host does; Debian 12's own Python has no filter for tarfile yet.
    subprocess.run(["tar", "-xzf", str(built.archive), "-C", str(directory)], check=True)
    return directory


def test_the_name_is_the_digest_of_the_manifest(built: Release, tree: Path) -> None:
    assert hashlib.sha256((tree / "SHA256SUMS").read_bytes()).hexdigest() == built.digest


def test_the_manifest_holds_every_file_and_no_other(tree: Path) -> None:
    listed = {}
    for line in (tree / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    found = {
        str(path.relative_to(tree)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in tree.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    assert listed == found


def test_nothing_of_this_machine_is_in_it(tree: Path) -> None:
    root = str(release_module._ROOT).encode()
    assert not [path for path in tree.rglob("*") if path.is_file() and root in path.read_bytes()]
    assert not list(tree.glob("pyinfra*"))


def test_a_second_build_from_nothing_has_the_same_name(
    built: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_module, "_CACHE", tmp_path)
    again = build(TARGET)
    assert again.digest == built.digest
    assert again.archive.read_bytes() == built.archive.read_bytes()


def test_other_greenlets_go_on_while_it_is_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They hold the deploy locks, which are lost where nothing is heard for half a minute."""
    went_on = Event()
    pack = release_module._pack

    def waiting(tree: Path, file: IO[bytes]) -> None:
        assert went_on.wait(10), "nothing else ran while the release was packed"
        pack(tree, file)

    monkeypatch.setattr(release_module, "_CACHE", tmp_path)
    monkeypatch.setattr(release_module, "_pack", waiting)
    gevent.spawn(went_on.set)
    build(TARGET)


def test_a_changed_server_is_another_release(
    built: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content decides: one more file, and neither the name nor the cached archive fits."""
    monkeypatch.setattr(release_module, "_CACHE", tmp_path)
    files = release_module.server_files()
    extra = release_module._APP / "requirements.lock"
    monkeypatch.setattr(release_module, "server_files", lambda: [*files, extra])
    assert build(TARGET).digest != built.digest


def test_a_release_for_another_architecture_is_built_here(built: Release) -> None:
    assert build(replace(TARGET, architecture="aarch64")).digest != built.digest


def test_a_release_for_another_python_is_built_here(built: Release) -> None:
    """Hosts of one platform may differ in their python3."""
    other = replace(TARGET, python=PYTHONS[Platform.UBUNTU_24_04])
    assert build(other).digest != built.digest


def test_what_cannot_be_had_is_named_in_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("starlette==0.0.0 --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setattr(release_module, "_LOCK", lock)
    monkeypatch.setattr(release_module, "_ROOT", tmp_path)
    monkeypatch.setattr(release_module, "_CACHE", tmp_path / "cache")
    monkeypatch.setattr(release_module, "_inputs", lambda *_: "inputs")
    with pytest.raises(
        ReleaseError, match=r"Python 3\.\d+ on x86_64 cannot be built:\n(?s:.*)starlette"
    ):
        build(TARGET)
    assert not list((tmp_path / "cache").rglob("*.tar.gz"))
