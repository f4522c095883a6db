from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from oauth_server.errors import OperatorError
from oauth_server.keys import creation, ring
from oauth_server.keys.entry import State
from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm

APP = Path(creation.__file__).parents[2]


def modes(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): stat.filemode(path.lstat().st_mode)
        for path in [directory, *directory.rglob("*")]
    }


def assert_whole(directory: Path, kid: str) -> None:
    """One key signs, and another one is pending."""
    (pending,) = {path.name for path in ring.entries(directory / "ring")} - {kid}
    of_keys = {
        f"ring/{key}{name}": mode
        for key in (kid, pending)
        for name, mode in {
            "": "drwx--x--x", "/private.pem": "-rw-------", "/public.pem": "-rw-r--r--",
            "/times.json": "-rw-r--r--",
        }.items()
    }  # fmt: skip
    assert modes(directory) == {
        ".": "drwx--x--x",
        "private_key.pem": "lrwxrwxrwx",
        "public_key.pem": "lrwxrwxrwx",
        "ring": "drwx--x--x",
        "ring/active": "lrwxrwxrwx",
        **of_keys,
    }
    loaded = ring.load(directory)
    assert loaded.signs_with is not None
    assert loaded.signs_with[0] == kid
    assert loaded.states == {State.ACTIVE: 1, State.PENDING: 1}
    for link, half in (("private_key.pem", "private.pem"), ("public_key.pem", "public.pem")):
        assert (directory / link).resolve() == directory / "ring" / kid / half


def made(directory: Path) -> str:
    """Of a kind that is quickly made."""
    return creation.init(directory, Algorithm.EDDSA)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_first_run_makes_the_whole_ring(tmp_path: Path, umask: int) -> None:
    previous = os.umask(umask)
    try:
        kid = made(tmp_path / "keys")
    finally:
        os.umask(previous)
    assert_whole(tmp_path / "keys", kid)


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    kid = made(keys)
    # ctime moves with any change; atime, which reading moves, is none.
    before = {path: (path.lstat().st_ino, path.lstat().st_ctime_ns) for path in keys.rglob("*")}
    assert made(keys) == kid
    after = {path: (path.lstat().st_ino, path.lstat().st_ctime_ns) for path in keys.rglob("*")}
    assert after == before
    assert_whole(keys, kid)


def test_of_eight_at_once_one_makes_the_key(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "oauth_server",
        "keys",
        "init",
        "--dir",
        str(tmp_path / "keys"),
    ]
    runs = [
        subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": str(APP)}, stdout=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    said = {run.communicate(timeout=60)[0] for run in runs}
    assert {run.returncode for run in runs} == {0}
    (kid,) = said
    assert_whole(tmp_path / "keys", kid.strip())


def test_a_file_in_the_way_of_a_shortcut_is_left_alone(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "private_key.pem").write_text("somebody's")
    with pytest.raises(OperatorError, match=r"private_key\.pem: is in the way"):
        creation.init(keys)
    assert (keys / "private_key.pem").read_text() == "somebody's"


def test_between_several_finished_keys_nobody_guesses(
    ring_directory: Path, other_key: PrivateKey
) -> None:
    entry = ring_directory / "ring" / other_key.public.kid
    entry.mkdir()
    (entry / "private.pem").write_bytes(other_key.to_pem())
    (entry / "public.pem").write_bytes(other_key.public.to_pem())
    (ring_directory / "ring" / "active").unlink()
    with pytest.raises(OperatorError, match="there are several keys"):
        creation.init(ring_directory)


def test_a_broken_key_is_named_and_not_replaced(ring_directory: Path, key: PrivateKey) -> None:
    private = ring_directory / "ring" / key.public.kid / "private.pem"
    private.write_bytes(b"broken")
    with pytest.raises(OperatorError, match=r"private\.pem: is not an unencrypted PEM private key"):
        creation.init(ring_directory)
    assert private.read_bytes() == b"broken"


def test_only_the_owner_of_the_directory_makes_keys_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root's keys would be unreadable to the server."""
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(OperatorError, match="only its owner may make or mend keys in it"):
        creation.init(tmp_path)
    assert list(tmp_path.iterdir()) == []


CHANGED = [
    (".", 0o777), (".", 0o000), ("ring", 0o777), ("ring", 0o000), ("ring/{kid}", 0o755),
    ("ring/{kid}", 0o000), ("ring/{kid}/private.pem", 0o644), ("ring/{kid}/private.pem", 0o000),
    ("ring/{kid}/public.pem", 0o600), ("ring/{kid}/public.pem", 0o666),
]  # fmt: skip


@pytest.mark.parametrize(("name", "mode"), CHANGED)
def test_a_mode_that_somebody_changed_is_put_back(tmp_path: Path, name: str, mode: int) -> None:
    keys = tmp_path / "keys"
    kid = made(keys)
    private = (keys / "private_key.pem").read_bytes()
    (keys / name.format(kid=kid)).chmod(mode)
    assert made(keys) == kid
    assert_whole(keys, kid)
    assert (keys / "private_key.pem").read_bytes() == private


@pytest.mark.parametrize("name", ["ring", "ring/{kid}", "ring/{kid}/private.pem"])
def test_what_belongs_to_somebody_else_is_refused_and_left_alone(
    ring_directory: Path, key: PrivateKey, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ring_directory / name.format(kid=key.public.kid)
    path.chmod(0o777)
    lstat = Path.lstat

    def of_another(self: Path) -> os.stat_result:
        found = list(lstat(self))
        if self == path:
            found[stat.ST_UID] += 1
        return os.stat_result(found)

    monkeypatch.setattr(Path, "lstat", of_another)
    with pytest.raises(OperatorError, match=f"{path}: belongs to user "):
        creation.init(ring_directory)
    assert stat.S_IMODE(path.stat().st_mode) == 0o777


def test_no_mode_is_set_through_a_link(ring_directory: Path, key: PrivateKey) -> None:
    private = ring_directory / "ring" / key.public.kid / "private.pem"
    elsewhere = ring_directory / "elsewhere"
    private.rename(elsewhere)
    elsewhere.chmod(0o640)
    private.symlink_to(elsewhere)
    with pytest.raises(OperatorError, match=f"{private}: is not a regular file"):
        creation.init(ring_directory)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("ring", "is in the way: it must be a directory"),
        ("ring/active", "is not a symbolic link to a key of the ring"),
        (
            "ring/.new-x",
            "is in the way: .new- is for directories of keys being made, .gone- for those being removed",  # noqa: E501
        ),
        ("ring/x", "is in the way: it must be a directory"),
    ],
)
def test_a_file_in_the_way_is_named_with_the_rule_and_left_alone(
    tmp_path: Path, name: str, rule: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("somebody's")
    with pytest.raises(OperatorError) as refused:
        creation.init(tmp_path)
    assert refused.value.problems == (f"{path}: {rule}",)
    assert path.read_text() == "somebody's"
    assert not list(tmp_path.glob("ring/*/private.pem"))


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"none/keys: No such file or directory"):
        creation.init(tmp_path / "none" / "keys")
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match=r"/file: "):
        creation.init(tmp_path / "file")
