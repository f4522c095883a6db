"""rpm and dnf: one question tells what is missing, and each transaction is brought to its end.

The scripts run in a real shell, with rpm and dnf in their places: what dnf would say cannot be had
on demand.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from roles import rpm_packages
from roles.packages import install
from roles.platform import Platform
from tests.unit.roles.fakehost import FakeHost

_MISSING = [f"no package provides {name}" for name in ("fail2ban-server", "nginx")]
_WANTED = ("chrony", "fail2ban-server", "nginx")


def _scripts(answers: list[str]) -> dict[str, str]:
    """The script of each operation that changes something, by its name's first word."""
    host = FakeHost(Platform.EL_9, responses={"rpm -q --whatprovides": answers})
    commands = host.run(install, Platform.EL_9, *_WANTED).commands
    return {c.operation.split()[0]: c.text for c in commands}


def test_where_everything_is_installed_nothing_is_run() -> None:
    assert _scripts(["chrony-4.3-1.x86_64", "nginx-1.20-1.x86_64"]) == {}


def test_only_what_is_missing_is_installed_in_one_transaction() -> None:
    scripts = _scripts(_MISSING)
    assert list(scripts) == ["Add", "Install"]
    assert "dnf_ install fail2ban-server nginx ||" in scripts["Install"]


def test_epel_is_added_only_for_what_it_has() -> None:
    assert list(_scripts(["no package provides nginx"])) == ["Install"]


def test_an_interrupted_transaction_is_finished_first() -> None:
    assert list(_scripts(["interrupted", *_MISSING])) == ["Finish", "Add", "Install"]


@pytest.mark.parametrize(("rpm", "status"), [("exit 2", 0), ("exit 1", 1)])
def test_a_database_that_rpm_cannot_read_is_no_answer(
    rpm: str, status: int, tmp_path: Path
) -> None:
    """Two missing packages are status 2 of the first question; the second asks for rpm itself."""
    first = 'test "$2" = --whatprovides' if status == 0 else "true"
    program = tmp_path / "rpm"
    program.write_text(f"#!/bin/sh\n{first} && {rpm}\nexit 0\n")
    program.chmod(0o755)
    command = rpm_packages.RpmPackagesState().command(["nginx", "redis"]).get_raw_value()
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(["sh", "-c", command], env={"PATH": path}, check=False)
    assert done.returncode == status


class Machine:
    """A directory of programs that stand in for rpm's and dnf's, and what they were called with."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = directory / "calls"
        self.installed = directory / "installed"
        self.begun = directory / "state/packages-before"
        self._programs = directory / "bin"
        self._programs.mkdir()
        self.installed.write_text("bash-5.1\n")
        self.program("rpm", f'cat "{self.installed}"')
        self.program("sleep", ":")
        for name, value in (("_DNF", rpm_packages._DNF), ("_ADD_EPEL", rpm_packages._ADD_EPEL)):
            local = value.replace("/run/", f"{directory}/").replace("/etc/os-", f"{directory}/os-")
            monkeypatch.setattr(
                rpm_packages, name, local.replace(rpm_packages._BEGUN, str(self.begun))
            )

    def program(self, name: str, body: str) -> None:
        path = self._programs / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def dnf(self, body: str) -> None:
        self.program("dnf", f'echo "$*" >> "{self.calls}"\n{body}')

    def runs(self, script: str) -> subprocess.CompletedProcess[str]:
        command = rpm_packages._shell(script).get_raw_value()
        path = f"{self._programs}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-c", command], env={"PATH": path}, capture_output=True, text=True, check=False
        )

    def asked(self) -> list[str]:
        """What dnf was asked for, without its options."""
        lines = self.calls.read_text().splitlines()
        return [" ".join(word for word in line.split() if word[:2] != "--") for line in lines]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


_INSTALL = rpm_packages._INSTALL.format(names="nginx")


def test_a_transaction_that_ended_well_leaves_no_mark(machine: Machine) -> None:
    machine.dnf(f'test -e "{machine.begun}" && echo nginx-1.20 >> "{machine.installed}"')
    assert machine.runs(_INSTALL).returncode == 0
    assert not machine.begun.exists()


def test_a_lock_that_somebody_holds_is_waited_for(machine: Machine) -> None:
    machine.dnf(f'test "$(wc -l < "{machine.calls}")" -ge 3 || exit 200')
    assert machine.runs(_INSTALL).returncode == 0
    assert len(machine.asked()) == 3


def test_a_lock_that_stays_is_an_error_in_dnfs_words(machine: Machine) -> None:
    machine.dnf("echo 'Waiting for process with pid 7 to finish.'; exit 200")
    result = machine.runs(_INSTALL)
    assert (result.returncode, len(machine.asked())) == (200, 60)
    assert "pid 7" in result.stderr


def test_a_refused_transaction_is_an_error_and_leaves_nothing_to_finish(machine: Machine) -> None:
    machine.dnf("echo 'No match for argument: nginx'; exit 1")
    result = machine.runs(_INSTALL)
    assert (result.returncode, result.stderr) == (1, "No match for argument: nginx\n")
    assert not machine.begun.exists()


def test_the_password_of_a_mirror_stays_out_of_an_error(machine: Machine) -> None:
    machine.dnf("echo 'Cannot download https://me:secret@mirror.test/el9: 401'; exit 1")
    assert machine.runs(_INSTALL).stderr == "Cannot download https://***@mirror.test/el9: 401\n"


def test_what_a_killed_dnf_recorded_is_installed_anew_by_the_next_run(machine: Machine) -> None:
    machine.dnf(f'echo nginx-1.20 >> "{machine.installed}"; kill -9 $PPID; exit 9')
    machine.runs(_INSTALL)
    assert machine.begun.exists()
    machine.dnf(":")
    assert machine.runs(rpm_packages._FINISH).returncode == 0
    assert machine.asked()[-1] == "reinstall nginx-1.20"
    assert not machine.begun.exists()


def test_where_the_mirror_has_moved_on_the_newer_one_is_taken(machine: Machine) -> None:
    machine.begun.parent.mkdir()
    machine.begun.write_text("")
    machine.program("rpm", 'case "$1" in -qa) echo nginx-1.20;; *) printf "nginx ";; esac')
    machine.dnf('case "$*" in *reinstall*) exit 1;; esac')
    assert machine.runs(rpm_packages._FINISH).returncode == 0
    assert machine.asked() == ["reinstall nginx-1.20", "upgrade nginx"]


@pytest.mark.parametrize(
    ("os_release", "said", "asked"),
    [
        ("ID=rocky", "", ["install epel-release"]),
        ("ID=ol", "", ["install oracle-epel-release-el9"]),
        ("ID=rhel", "fail2ban-server-0:1.0.2-7.el9.noarch", []),
    ],
    ids=["rocky", "oracle", "own-mirror"],
)
def test_epel_is_added_by_the_systems_own_package_where_no_mirror_has_its_packages(
    machine: Machine, os_release: str, said: str, asked: list[str]
) -> None:
    (machine.calls.parent / "os-release").write_text(os_release)
    machine.dnf(f'case "$*" in *repoquery*) echo "{said}";; esac')
    assert machine.runs(rpm_packages._ADD_EPEL).returncode == 0
    assert machine.asked()[1:] == asked


def test_without_any_way_to_epel_the_error_says_what_to_do(machine: Machine) -> None:
    (machine.calls.parent / "os-release").write_text("ID=rhel")
    machine.dnf('case "$*" in *" install "*) echo "No match"; exit 1;; esac')
    result = machine.runs(rpm_packages._ADD_EPEL)
    assert result.returncode == 1
    assert "has fail2ban-server or epel-release: enable EPEL" in result.stderr
