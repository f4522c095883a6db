"""The redis role on every platform, and the shell that makes its password."""

from __future__ import annotations

import getpass
import grp
import hashlib
import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from roles import history
from roles.files import render
from roles.hostdata.services import RedisData
from roles.platform import Platform
from roles.redis import credentials
from roles.redis.tasks import redis
from tests.unit.roles.fakehost import FakeHost

UNITS = [
    (Platform.DEBIAN_12, "redis-server.service"),
    (Platform.UBUNTU_22_04, "redis-server.service"),
    (Platform.UBUNTU_24_04, "redis-server.service"),
    (Platform.EL_9, "redis.service"),
]
ACL = render("redis/users.acl.j2", password_sha256=credentials.HASH)
# What only Redis 6.2 or 7 knows; Ubuntu 22.04 has 6.0.
NEWER = {"appenddirname", "enable-debug-command", "disable-thp", "acl-pubsub-default"}


def directives(fake: FakeHost) -> dict[str, str]:
    lines = fake.files["/etc/redis/redis.conf"].content.splitlines()
    return dict(line.split(" ", 1) for line in lines if line and line[0] != "#")


@pytest.mark.parametrize(("platform", "unit"), UNITS)
def test_it_listens_on_a_socket_that_its_group_may_use(platform: Platform, unit: str) -> None:
    fake = FakeHost(platform)
    fake.run(redis, RedisData(maxmemory="64mb"), platform)
    found = directives(fake)
    assert found["port"] == "0"
    assert "bind" not in found
    assert found["unixsocket"] == "/run/redis/redis.sock"
    assert found["unixsocketperm"] == "770"
    assert not NEWER & found.keys()
    assert fake.units == {unit: ["restart"]}
    assert f"/etc/systemd/system/{unit}.d/portcullis.conf" in fake.files


@pytest.mark.parametrize(("platform", "_unit"), UNITS)
def test_it_forgets_nothing(platform: Platform, _unit: str) -> None:
    """Neither when memory is full nor when the power is cut."""
    fake = FakeHost(platform)
    fake.run(redis, RedisData(maxmemory="64mb"), platform)
    found = directives(fake)
    assert found["maxmemory"] == "64mb"
    assert found["maxmemory-policy"] == "noeviction"
    assert found["appendonly"] == "yes"
    assert found["appendfsync"] == "always"


def test_the_server_can_read_no_file_that_redis_writes() -> None:
    """It is in Redis' group, for the socket."""
    fake = FakeHost(Platform.DEBIAN_12)
    fake.run(redis, RedisData(), fake.platform)
    drop_in = fake.files["/etc/systemd/system/redis-server.service.d/portcullis.conf"].content
    assert "UMask=0077\n" in drop_in
    writable = [line for line in drop_in.splitlines() if line.startswith("ReadWritePaths=")]
    assert writable[0] == "ReadWritePaths="  # takes the distribution's back
    assert "/etc" not in "".join(writable)


def test_the_server_may_use_its_own_keys_and_administer_nothing() -> None:
    default, server = ACL.splitlines()
    # Off and without a password, as `reset` leaves it. Redis replays scripts with its rights.
    assert default == "user default reset ~oauth:* ~revocations +@write"
    rules = server.split()
    assert rules[:4] == ["user", "oauth_server", "reset", "on"]
    assert [rule for rule in rules if rule[0] == "~"] == ["~oauth:*", "~revocations"]
    assert "+time" in rules  # the scripts' clock; @read and @write don't have it
    assert rules[-2:] == ["-@admin", "-@dangerous"]  # last: rules apply from left to right
    assert not {"+@all", "allcommands", "allkeys", "nopass"} & set(rules)


def test_an_acl_that_belongs_to_the_password_is_left_alone() -> None:
    states = ["root:oauth_group 640", "root:redis 640", "ours"]
    fake = FakeHost(Platform.DEBIAN_12, responses={"| cmp -s - /etc/redis/users.acl": states})
    changed = fake.run(redis, RedisData(), fake.platform).changed
    assert not [name for name in changed if "password" in name]


def test_a_password_that_was_replaced_restarts_redis() -> None:
    fake = FakeHost(Platform.DEBIAN_12)
    run = fake.run(redis, RedisData(), fake.platform)
    (started,) = [c.text for c in run.commands if c.operation.endswith("Run Redis [STATE-04]")]
    assert credentials.PASSWORD in started
    assert credentials.ACL in started


class TestCredentials:
    """The script itself, run here on files that the user who runs the tests owns."""

    @pytest.fixture(autouse=True)
    def _host(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(history, "STATE", str(tmp_path / "state"))
        self.root = tmp_path
        self.password = tmp_path / "oauth2" / "redis.password"
        self.acl = tmp_path / "redis" / "users.acl"
        self.programs = tmp_path / "programs"
        for directory in (self.password.parent, self.acl.parent, self.programs):
            directory.mkdir()
        self._replace("redis-server", "echo Ready to accept connections; exec sleep 1")

    def _replace(self, program: str, script: str) -> None:
        path = self.programs / program
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def _here(self, text: str) -> str:
        me = f"{getpass.getuser()}:{grp.getgrgid(os.getgid()).gr_name}"
        for there, here in (
            (credentials.PASSWORD, str(self.password)),
            (credentials.ACL, str(self.acl)),
            ("root:oauth_group", me),
            ("root:redis", me),
        ):
            text = text.replace(there, here)
        return text

    def _start(self) -> subprocess.Popen[str]:
        fake = FakeHost(Platform.DEBIAN_12)
        (command,) = fake.run(
            lambda: credentials.credentials(name="Make [STATE-03]", acl=ACL)
        ).commands
        process = subprocess.Popen(
            ["sh", "-c", self._here(command.text)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"},
        )
        assert process.stdin
        with suppress(BrokenPipeError):  # it may be dead already
            process.stdin.write(command.stdin)
            process.stdin.close()
        process.stdin = None
        return process

    def _run(self) -> tuple[int, str]:
        process = self._start()
        output, error = process.communicate()
        return process.returncode, output + error

    def _belongs(self) -> bool:
        fact = credentials.CredentialsState()
        done = subprocess.run(
            ["sh", "-c", self._here(fact.command(ACL))], capture_output=True, text=True, check=True
        )
        me = f"{getpass.getuser()}:{grp.getgrgid(os.getgid()).gr_name}"
        owners = iter(("root:oauth_group", "root:redis", me))
        lines = [line.replace(me, next(owners)) for line in done.stdout.splitlines()]
        found = fact.process(lines)
        return found.belong and found.origin == history.OURS

    def test_the_password_is_256_random_bits_and_the_acl_has_its_hash(self) -> None:
        assert not self._belongs()
        assert self._run() == (0, "")
        password = self.password.read_text()
        assert re.fullmatch(r"[0-9a-f]{64}", password)
        assert f" #{hashlib.sha256(password.encode()).hexdigest()} " in self.acl.read_text()
        assert {path.stat().st_mode & 0o777 for path in (self.password, self.acl)} == {0o640}
        assert self._belongs()

    def test_a_password_that_is_there_is_never_replaced(self) -> None:
        self._run()
        before = self.password.read_text()
        self.acl.unlink()
        assert not self._belongs()
        self._run()
        assert self.password.read_text() == before
        assert self._belongs()

    def test_of_many_runs_at_once_one_makes_the_password(self) -> None:
        runs = [self._start() for _ in range(8)]
        assert [run.communicate() and run.returncode for run in runs] == [0] * 8
        assert self._belongs()
        assert list(self.password.parent.iterdir()) == [self.password]
        assert list(self.acl.parent.iterdir()) == [self.acl]

    @pytest.mark.parametrize(
        "program", ["od", "chown", "chmod", "sync", "ln", "grep", "sha256sum", "sed", "mv"]
    )
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_a_run_that_was_killed_is_finished_by_the_next(self, program: str, after: bool) -> None:
        real = subprocess.check_output(["sh", "-c", f"command -v {program}"], text=True).strip()
        self._replace(program, f'{f"{real} "}"$@"; kill -9 $PPID' if after else "kill -9 $PPID")
        assert self._run()[0] != 0
        assert not self.password.exists() or len(self.password.read_text()) == 64
        made = self.password.read_text() if self.password.exists() else None
        (self.programs / program).unlink()
        assert self._run() == (0, "")
        assert self._belongs()
        assert made in (None, self.password.read_text())

    @pytest.mark.parametrize("content", ["", "short", "x" * 64, f"{'a' * 64}\n"])
    def test_a_file_that_is_no_password_of_ours_is_named_and_left(self, content: str) -> None:
        self.password.write_text(content)
        code, said = self._run()
        assert code != 0
        assert f"{self.password} holds no password of ours" in said
        assert self.password.read_text() == content
        assert not self.acl.exists()

    def test_an_acl_that_redis_refuses_stays_out(self) -> None:
        self._replace("redis-server", "echo unknown category; exit 1")
        code, said = self._run()
        assert code != 0
        assert "unknown category" in said
        assert not self.acl.exists()

    def test_the_password_is_in_no_argument_list(self) -> None:
        """Every program that the script starts says what it was started with."""
        seen = self.root / "seen"
        for program in ("od", "chown", "chmod", "sync", "ln", "grep", "sha256sum", "sed", "mv"):
            real = subprocess.check_output(["sh", "-c", f"command -v {program}"], text=True).strip()
            self._replace(program, f'printf "%s\\n" "$@" >> {seen}; exec {real} "$@"')
        self._run()
        assert self.password.read_text() not in seen.read_text()
