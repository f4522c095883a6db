"""`oauth-server users`."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from oauth_server import cli, passwords, users, users_file
from oauth_server.errors import OperatorError
from tests.unit.oauth_server.test_clients import confidential
from tests.unit.oauth_server.test_clients import write as write_clients
from tests.unit.oauth_server.test_users import HASH, entry, write

APP = Path(cli.__file__).parents[2]
PASSWORD = "correct horse battery"
Output = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users.json"


def type_in(monkeypatch: pytest.MonkeyPatch, line: str | bytes) -> None:
    raw = line if isinstance(line, bytes) else line.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))


def run(*arguments: object) -> int:
    return cli.main(["users", *(str(argument) for argument in arguments)])


def test_a_user_is_added_with_a_password_from_standard_input(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    type_in(monkeypatch, PASSWORD + "\n")
    assert run("add", "alice", "--file", file) == 0
    said = capsys.readouterr().out
    assert "alice was added." in said
    assert "systemctl reload oauth-server" in said
    user = users.load(file)["alice"]
    assert passwords.verifies(PASSWORD, user.password_hash)
    assert PASSWORD not in file.read_text() + said


def test_without_standard_input_there_is_no_password(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it when descriptor 0 is closed
    assert run("add", "alice", "--file", file) == 1
    assert capsys.readouterr().err == "oauth-server: no password was given\n"
    assert not file.exists()


def test_another_password_takes_the_place_of_the_first(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file.parent, {"users": [entry(), entry(username="bob", disabled=True)]})
    type_in(monkeypatch, PASSWORD)
    assert run("passwd", "bob", "--file", file) == 0
    changed = users.load(file)
    assert passwords.verifies(PASSWORD, changed["bob"].password_hash)
    assert changed["bob"].disabled
    assert changed["alice"].password_hash == HASH


def test_users_are_disabled_enabled_and_listed(file: Path, capsys: Output) -> None:
    write(file.parent, {"users": [entry(), entry(username="bobby")]})
    assert run("disable", "alice", "--file", file) == 0
    assert run("list", "--file", file) == 0
    assert capsys.readouterr().out.endswith("alice  disabled\nbobby  active\n")
    assert run("enable", "alice", "--file", file) == 0
    assert users.load(file).is_active("alice")


def test_a_hash_is_made_for_an_inventory(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    type_in(monkeypatch, PASSWORD)
    assert run("hash") == 0
    said = capsys.readouterr().out
    assert said.startswith("password_hash: $argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.is_hash(said.split()[1])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("short\n", "the password must have at least 12 characters"),
        ("", "the password must have at least 12 characters"),
        ("a" * 1025 + "\n", "the password must have at most 1024 bytes"),
        ("a" * 1_000_000, "the password must have at most 1024 bytes"),
        ("a password\twith\n", "the password must have no control characters"),
        (b"\xff" * 12 + b"\n", "the password must be UTF-8"),
    ],
    ids=["short", "none", "long", "endless", "tab", "not-utf-8"],
)
def test_a_password_that_breaks_a_rule_changes_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output, line: str | bytes, why: str
) -> None:
    type_in(monkeypatch, line)
    assert run("add", "alice", "--file", file) == 1
    assert capsys.readouterr().err == f"oauth-server: {why}\n"
    assert not file.exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["add", "Alice"], "a username is 1 to 64 lower case letters"),
        (["add", "alice"], "alice is there already"),
        (["passwd", "nobody"], "there is no such user"),
        (["disable", "nobody"], "there is no such user"),
        (["enable", "nobody"], "there is no such user"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_told(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    arguments: list[str],
    why: str,
) -> None:
    write(file.parent, {"users": [entry()]})
    before = file.read_bytes()
    type_in(monkeypatch, PASSWORD)
    assert run(*arguments, "--file", file) == 1
    assert why in capsys.readouterr().err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "arguments", [["add", "bob"], ["passwd", "alice"], ["disable", "alice"], ["enable", "alice"]]
)
def test_the_deploys_file_is_left_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output, arguments: list[str]
) -> None:
    write(file.parent, {"managed_by": "deploy", "users": [entry()]})
    before = file.read_bytes()
    monkeypatch.setattr(sys, "stdin", None)  # nobody is asked for a password in vain
    assert run(*arguments, "--file", file) == 1
    assert "belongs to the deploy" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert run("list", "--file", file) == 0


def test_a_user_with_a_clients_name_is_refused_before_the_server_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """The file would be valid, and no server would start with both (RFC 9700 §4.15)."""
    registered = write_clients(tmp_path, {"clients": [confidential(client_id="alice")]})
    config = tmp_path / "server.yaml"
    config.write_text(
        f"issuer: https://id.example.com\nclients_file: {registered}\n"
        f"users_file: {tmp_path}/users.json\n"
    )
    monkeypatch.setattr(sys, "stdin", None)
    assert run("add", "alice", "--config", config) == 1
    assert "alice is a client_id; a username must not be one" in capsys.readouterr().err
    type_in(monkeypatch, PASSWORD)
    assert run("add", "bob", "--config", config) == 0
    assert list(users.load(tmp_path / "users.json")) == ["bob"]


def test_who_is_there_already_is_told_before_a_password_is_asked_for(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    write(file.parent, {"users": [entry()]})
    monkeypatch.setattr(sys, "stdin", None)
    assert run("add", "alice", "--file", file) == 1
    assert "alice is there already" in capsys.readouterr().err


def test_what_a_killed_change_left_is_gone_after_the_next(file: Path) -> None:
    write(file.parent, {"users": [entry()]})
    process = subprocess.run(
        [sys.executable, "-c", _KILLED_BEFORE_THE_RENAME, str(file)],
        env={**os.environ, "PYTHONPATH": str(APP)},
        check=False,
    )
    assert process.returncode == -signal.SIGKILL
    assert len(list(file.parent.iterdir())) == 2
    assert run("disable", "alice", "--file", file) == 0
    assert list(file.parent.iterdir()) == [file]


_KILLED_BEFORE_THE_RENAME = """
import os, signal, sys
from pathlib import Path
from oauth_server import users_file
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
with users_file.changed(Path(sys.argv[1])):
    pass
"""


def test_a_broken_file_is_not_replaced(file: Path, capsys: Output) -> None:
    write(file.parent, '{"users": [')
    assert run("disable", "alice", "--file", file) == 1
    assert "line 1" in capsys.readouterr().err
    assert file.read_text() == '{"users": ['


def test_owner_group_and_mode_stay(file: Path) -> None:
    write(file.parent, {"users": [entry()]})
    if os.geteuid() == 0:
        os.chown(file, -1, 54321)
    file.chmod(0o640)
    before = file.stat()
    assert run("disable", "alice", "--file", file) == 0
    after = file.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid, before.st_gid, before.st_mode,
    )  # fmt: skip
    assert after.st_ino != before.st_ino  # it was replaced whole


def test_a_new_file_is_nobodys_to_read(file: Path) -> None:
    with users_file.changed(file) as by_name:
        by_name.clear()
    assert not stat.S_IMODE(file.stat().st_mode) & 0o007


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(file.parent, {"users": [entry()]})
    before = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OperatorError, match="cannot be written: No space left"),
        users_file.changed(file) as by_name,
    ):
        by_name.clear()
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_of_many_at_once_none_is_lost(file: Path) -> None:
    write(file.parent, {"users": []})

    def add(number: int) -> None:
        with users_file.changed(file) as by_name:
            by_name[f"user{number}"] = users.User(username=f"user{number}", password_hash=HASH)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert len(users.load(file)) == 40


def test_who_waits_too_long_is_told_for_what(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    """Whoever may read the directory can lock it, the server's account included."""
    write(file.parent, {"users": [entry()]})
    monkeypatch.setattr(users_file, "_PATIENCE", 0.1)
    holder = os.open(file.parent, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    assert run("disable", "alice", "--file", file) == 1
    assert "somebody else is changing it; `lslocks` shows who" in capsys.readouterr().err
    os.close(holder)
    assert run("disable", "alice", "--file", file) == 0


def at_a_terminal(file: Path, *typed: str) -> tuple[int, str]:
    """What `users add` says there, and its exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "oauth_server", "users", "add", "alice", "--file", str(file)],
        env={**os.environ, "PYTHONPATH": str(APP)}, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    for text, prompt in zip(typed, (b"Password: ", b"Once more: "), strict=True):
        while prompt not in said:
            said += os.read(ours, 1000)
        time.sleep(0.1)  # getpass discards what was typed before it turned the echo off
        os.write(ours, text.encode() + b"\n")
    code = process.wait(20)
    with suppress(OSError):  # all of it was read
        said += os.read(ours, 1000)
    os.close(ours)
    return code, said.decode()


def test_at_a_terminal_it_asks_twice_and_shows_nothing(file: Path) -> None:
    code, said = at_a_terminal(file, PASSWORD, PASSWORD)
    assert code == 0, said
    assert PASSWORD not in said
    assert passwords.verifies(PASSWORD, users.load(file)["alice"].password_hash)


def test_at_a_terminal_a_slip_is_found(file: Path) -> None:
    code, said = at_a_terminal(file, PASSWORD, PASSWORD + "x")
    assert code == 1
    assert "the two are not the same" in said
    assert not file.exists()


def test_the_settings_name_the_file(tmp_path: Path, capsys: Output) -> None:
    path = write(tmp_path, {"users": [entry()]})
    config = tmp_path / "server.yaml"
    config.write_text(f"issuer: https://id.example.com\nusers_file: {path}\n")
    assert run("list", "--config", config) == 0
    assert capsys.readouterr().out == "alice  active\n"


def test_a_password_is_never_an_argument(file: Path, capsys: Output) -> None:
    """Everybody on a machine sees the arguments of everybody's programs."""
    with pytest.raises(SystemExit) as refused:
        run("add", "alice", PASSWORD, "--file", file)
    assert refused.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


def json_of(path: Path) -> Any:
    return json.loads(path.read_text())


def test_the_file_is_for_people_too(file: Path) -> None:
    with users_file.changed(file) as by_name:
        by_name["alice"] = users.User(username="alice", password_hash=HASH)
    assert json_of(file) == {"users": [{"username": "alice", "password_hash": HASH}]}
    assert file.read_text().count("\n") > 4
