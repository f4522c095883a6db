"""`oauth-server keys`."""

from __future__ import annotations

import json
import os
import pwd
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from oauth_server.cli import keys_verify, owner
from oauth_server.errors import OperatorError
from oauth_server.fleet import identity
from oauth_server.keys import disk, served
from oauth_server.keys.entry import State
from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm
from tests.unit.oauth_server.cli_site import NOW, Output, Site, site
from tests.unit.oauth_server.keys import rings

__all__ = ["site"]

DAY = timedelta(days=1)


def test_a_list_says_what_each_key_waits_for(site: Site, capsys: Output) -> None:
    assert site.run("list") == 0
    head, active, pending = capsys.readouterr().out.splitlines()
    assert head.split() == ["STATE", "KID", "ALGORITHM", "CREATED"]
    assert active.split()[:3] == ["active", site.kid(State.ACTIVE), "EdDSA"]
    assert active.endswith("signs since 2026-11-25T12:00:00Z, rotation due 2027-02-23T12:00:00Z")
    assert pending.endswith("not served yet by self")
    site.serve(NOW)
    site.run("list")
    assert capsys.readouterr().out.endswith("may sign from 2026-11-26T00:00:00Z\n")
    site.now += DAY
    site.run("rotate")
    site.run("list")
    assert capsys.readouterr().out.endswith("published until 2026-11-27T00:10:30Z\n")


def test_a_list_for_programs(site: Site, capsys: Output) -> None:
    site.serve(NOW)
    assert site.run("list", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [key["state"] for key in document["keys"]] == ["active", "pending"]
    assert document["keys"][1]["may_sign_from"] == "2026-11-26T00:00:00Z"
    assert document["rotation_due"] == "2027-02-23T12:00:00Z"
    assert document["removed"] == []


def test_a_rotation_that_may_not_be_says_from_when(site: Site, capsys: Output) -> None:
    assert site.run("rotate") == 1
    assert "not served by self yet" in capsys.readouterr().err
    site.serve(NOW)
    for dry in ([], ["--dry-run"]):
        assert site.run("rotate", *dry) == 1
        assert "may sign from 2026-11-26T00:00:00Z on" in capsys.readouterr().err


def test_a_dry_run_changes_nothing(site: Site, capsys: Output) -> None:
    site.serve(NOW)
    site.now += DAY
    before = {path: path.lstat().st_ctime_ns for path in site.keys.rglob("*")}
    assert site.run("rotate", "--dry-run") == 0
    assert capsys.readouterr().out == f"{site.kid(State.PENDING)} would sign\n"
    assert site.run("emergency", "active", "--dry-run") == 0
    assert site.run("retire", "--dry-run") == 0
    assert {path: path.lstat().st_ctime_ns for path in site.keys.rglob("*")} == before


def test_the_timer_rotates_when_it_is_due(site: Site, capsys: Output) -> None:
    pending = site.kid(State.PENDING)
    site.serve(NOW)
    site.now = NOW + 90 * DAY - timedelta(seconds=1)
    assert site.run("rotate", "--if-due") == 0
    assert capsys.readouterr().out == "not due before 2027-02-23T12:00:00Z\n"
    site.now += timedelta(seconds=1)
    assert site.run("rotate", "--if-due") == 0
    assert site.kid(State.ACTIVE) == pending


def test_the_timer_waits_a_week_for_who_is_missing_and_then_fails(
    site: Site, capsys: Output
) -> None:
    site.now = NOW + 97 * DAY - timedelta(seconds=1)
    assert site.run("rotate", "--if-due") == 0
    assert "due since 2027-02-23T12:00:00Z, not yet done: " in capsys.readouterr().out
    site.now += timedelta(seconds=1)
    assert site.run("rotate", "--if-due") == 1
    assert "due since 2027-02-23T12:00:00Z" in capsys.readouterr().err


def test_an_old_rings_key_that_is_long_overdue_is_no_failure_yet(
    site: Site, capsys: Output
) -> None:
    """Its first pending key was made a moment ago; a week after it could have signed it is one."""
    path = rings.active(site.keys).path / "times.json"
    times = json.loads(path.read_text())
    path.write_text(json.dumps({**times, "activated": "2024-01-01T00:00:00Z"}))
    assert site.run("rotate", "--if-due") == 0
    assert "due since 2024-03-31T00:00:00Z, not yet done: " in capsys.readouterr().out
    site.now += timedelta(days=7, hours=12)
    assert site.run("rotate", "--if-due") == 1


def test_a_ring_that_is_not_there_is_one_line(site: Site, capsys: Output) -> None:
    (site.keys / "ring").rename(site.keys / "elsewhere")
    for arguments in (
        ["list"], ["rotate"], ["rotate", "--if-due"], ["retire"], ["verify"],
        ["emergency", "active"],
    ):  # fmt: skip
        assert site.run(*arguments) == 1, arguments
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (site.keys / "ring").exists()


@pytest.mark.parametrize("host", ["auth-3", "self", "auth-1"])
def test_a_rotation_goes_on_without_another_server_of_the_fleet_and_nobody_else(
    site: Site, capsys: Output, host: str
) -> None:
    site.serve(NOW)
    assert site.run("rotate", "--without", host) == 1
    said = capsys.readouterr().err
    assert (
        said == f"oauth-server: --without {host}: is no other server of the fleet (there is none)\n"
    )
    members = [
        {"host": name, "identity": identity.text(PrivateKey.generate(Algorithm.EDDSA).public)}
        for name in ("auth-1", "auth-2")
    ]
    fleet = site.state / "fleet.json"
    fleet.write_text(json.dumps({"host": "auth-1", "members": members}))
    with site.config.open("a") as config:
        config.write(f"fleet_file: {fleet}\n")
    assert site.run("rotate", "--dry-run", "--without", host) == 1
    assert "is no other server of the fleet (auth-2)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "times",
    [
        {"created": "9999-12-31T23:59:59Z"}, {"created": "0001-01-01T00:00:00Z"},
        {"retired": "9999-12-31T23:59:59Z"}, {"longest_lifetime": 10**15},
        {"longest_lifetime": 10**11}, {"until": "3000-01-01T00:00:00Z"},
    ],
    ids=str,
)  # fmt: skip
def test_times_that_nothing_can_be_added_to_are_one_line(
    site: Site, capsys: Output, times: dict[str, object]
) -> None:
    file = site.keys / "ring" / site.kid(State.ACTIVE) / "times.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **times}))
    for arguments in (["list"], ["rotate", "--if-due"], ["retire"], ["emergency", "active"]):
        assert site.run(*arguments) == 1, arguments
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"oauth-server: {file}: is not what the ring writes: ")


def test_a_server_that_noted_the_end_of_time_is_one_line(site: Site, capsys: Output) -> None:
    site.serve(NOW)
    file = site.state / served.FILE
    file.write_text(file.read_text().replace("2026-", "9999-"))
    for arguments in (["list"], ["rotate"], ["emergency", "active", "--dry-run"]):
        assert site.run(*arguments) == 1, arguments
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"oauth-server: {file}: is not what the server writes: ")


def test_the_name_of_a_file_is_no_command_to_the_terminal(site: Site, capsys: Output) -> None:
    """The server's account may make one, and it is root who asks for a list."""
    (site.keys / "ring" / "a\x1b[2Jb\nc\udcff").mkdir()
    assert site.run("list") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "/ring/a\\x1b[2Jb\\nc\\udcff/" in line


def test_a_command_that_waits_for_another_says_so(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with disk.locked(site.keys):
        waiting = threading.Thread(target=site.run, args=("retire",))
        waiting.start()
        end = time.monotonic() + 10
        while not caplog.records and time.monotonic() < end:
            time.sleep(0.01)
    waiting.join()
    assert caplog.messages == [f"{site.keys}: another command is at work there; this one waits"]


class Root:
    """The calls by which root becomes somebody else, noted instead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner_id: int) -> None:
        self.calls: list[tuple[str, object]] = []
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        for name in ("setgroups", "setgid", "setuid"):
            monkeypatch.setattr(os, name, lambda value, name=name: self.calls.append((name, value)))
        stat = Path.stat

        def owned(self: Path, **options: bool) -> os.stat_result:
            found = list(stat(self, **options))
            found[4], found[5] = owner_id, 4242
            return os.stat_result(found)

        monkeypatch.setattr(Path, "stat", owned)


def test_root_becomes_the_owner_of_the_keys_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups first: afterwards it could not."""
    nobody = pwd.getpwnam("nobody")
    root = Root(monkeypatch, nobody.pw_uid)
    owner.become(tmp_path, socket=tmp_path)
    assert [name for name, _ in root.calls] == ["setgroups", "setgid", "setuid"]
    groups = root.calls[0][1]
    assert isinstance(groups, list)
    assert {nobody.pw_gid, 4242} <= set(groups)
    assert 0 not in groups
    assert root.calls[1:] == [("setgid", nobody.pw_gid), ("setuid", nobody.pw_uid)]


def test_an_owner_without_a_name_is_nobody_to_become(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Root(monkeypatch, 3_999_999)
    with pytest.raises(OperatorError, match="belongs to user 3999999, who has no name here"):
        owner.become(tmp_path)
    assert root.calls == []


def test_no_private_key_is_said_or_written_elsewhere(
    site: Site, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_verify, "_FOLLOWING", 0.0)  # no server runs that could follow
    site.serve(NOW)
    site.now += DAY
    for arguments in (
        ["list"],
        ["list", "--json"],
        ["rotate"],
        ["emergency", "active"],
        ["verify"],
    ):
        site.run(*arguments)
    said = capsys.readouterr()
    written = [path for path in site.state.rglob("*") if path.is_file() and not path.is_symlink()]
    holding = {path.name for path in written if b"PRIVATE" in path.read_bytes()}
    assert holding == {"private.pem"}
    assert "PRIVATE" not in said.out + said.err
