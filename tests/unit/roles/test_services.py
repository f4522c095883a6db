"""roles.services: units that run with what was configured, whatever became of a run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from pyinfra.api.exceptions import PyinfraError

from roles.files import managed_file
from roles.platform import Platform
from roles.services import ServiceState, running
from tests.unit.roles.fakehost import FakeHost, Run, service_state

PATH = "/etc/app.conf"
LIVE = "/etc/clients.json"
UNIT = "app.service"
QUESTION = f"systemctl show --property=UnitFileState,ActiveState,NeedDaemonReload {UNIT} "


@pytest.fixture
def fake() -> FakeHost:
    return FakeHost(Platform.DEBIAN_12)


def deploy(fake: FakeHost, content: str = "a\n") -> Run:
    def role() -> None:
        config = managed_file(name="Write", path=PATH, content=content)
        running(name="Run", service=UNIT, feeds=[PATH], after=(config,))

    return fake.run(role)


def test_a_second_run_does_nothing(fake: FakeHost) -> None:
    assert deploy(fake).changed == ["Write", "Run"]
    second = deploy(fake)
    assert (second.predicted, second.commands) == ([], [])
    assert fake.units == {UNIT: ["restart"]}


def test_what_feeds_a_unit_restarts_it_when_it_changed(fake: FakeHost) -> None:
    deploy(fake)
    changed = deploy(fake, "b\n")
    assert changed.predicted == changed.changed == ["Write", "Run"]
    assert fake.units == {UNIT: ["restart", "restart"]}


def test_a_run_killed_before_the_restart_is_finished_by_the_next(fake: FakeHost) -> None:
    """The file is new by then and changes no more; the stamp still has the old one."""
    deploy(fake)
    fake.run(lambda: managed_file(name="Write", path=PATH, content="b\n"))
    finished = deploy(fake, "b\n")
    assert finished.predicted == finished.changed == ["Run"]
    assert fake.units == {UNIT: ["restart", "restart"]}


@pytest.mark.parametrize(
    ("enabled", "active", "reload"),
    [("disabled", "active", "no"), ("enabled", "failed", "no"), ("enabled", "active", "yes")],
)
def test_a_unit_that_somebody_stopped_or_changed_is_put_right(
    enabled: str, active: str, reload: str
) -> None:
    def changed(*state: str) -> list[str]:
        responses = {QUESTION: service_state(state, "digest", "digest")}
        fake = FakeHost(Platform.DEBIAN_12, responses=responses)
        return fake.run(lambda: running(name="Run", service=UNIT, feeds=[PATH])).changed

    assert changed("enabled", "active", "no") == []
    assert changed(enabled, active, reload) == ["Run"]


def deploy_both(fake: FakeHost, started: str, live: str) -> Run:
    def role() -> None:
        config = managed_file(name="Write", path=PATH, content=started)
        clients = managed_file(name="Write live", path=LIVE, content=live)
        running(
            name="Run", service=UNIT, feeds=[PATH], after=(config,),
            reloaded=[LIVE], reload_after=(clients,),
        )  # fmt: skip

    return fake.run(role)


def test_what_a_reload_takes_over_reloads_and_all_else_restarts(fake: FakeHost) -> None:
    deploy_both(fake, "a\n", "a\n")
    changed = deploy_both(fake, "a\n", "b\n")
    assert changed.predicted == changed.changed == ["Write live", "Run"]
    assert deploy_both(fake, "a\n", "b\n").changed == []
    deploy_both(fake, "b\n", "b\n")
    deploy_both(fake, "c\n", "c\n")
    assert deploy_both(fake, "c\n", "c\n").predicted == []
    assert fake.units == {UNIT: ["restart", "reload", "restart", "restart"]}


def test_a_run_killed_before_the_reload_is_finished_by_the_next(fake: FakeHost) -> None:
    deploy_both(fake, "a\n", "a\n")
    fake.run(lambda: managed_file(name="Write live", path=LIVE, content="b\n"))
    assert deploy_both(fake, "a\n", "b\n").changed == ["Run"]
    assert fake.units == {UNIT: ["restart", "reload"]}


def test_a_unit_that_is_down_is_started_whatever_changed() -> None:
    responses = {QUESTION: service_state(("enabled", "failed", "no"), "a b", "a c")}
    fake = FakeHost(Platform.DEBIAN_12, responses=responses)
    deploy_both(fake, "a\n", "a\n")
    assert fake.units == {UNIT: ["restart"]}


def test_a_unit_that_does_not_start_fails_the_run() -> None:
    fake = FakeHost(Platform.DEBIAN_12, responses={"systemctl restart": {"success": False}})
    with pytest.raises(PyinfraError):
        deploy(fake)
    assert fake.units == {}


def test_a_unit_that_dies_after_its_start_or_never_answers_fails_the_run(tmp_path: Path) -> None:
    """The script is run for real, with stand-ins for systemd's programs and for sleep."""
    fake = FakeHost(Platform.DEBIAN_12)
    asked = running_with(fake, answers='test "$(cat answers)" = yes')
    script = shlex.split(asked)[2].split("\ninstall -d")[0]
    programs = {
        "systemctl": 'case "$1" in is-active) echo . >> asked; test "$(wc -l < asked)" -le '
        '"$(cat lives)";; restart) :;; *) echo "status of it";; esac',
        "journalctl": "echo its own words",
        "sleep": "echo yes > answers.later; test ! -e slow || mv answers.later answers",
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)

    def started(lives: int, answers: str, *, slow: bool = False) -> tuple[int, str]:
        (tmp_path / "asked").unlink(missing_ok=True)
        (tmp_path / "lives").write_text(f"{lives}\n")
        (tmp_path / "answers").write_text(f"{answers}\n")
        (tmp_path / "slow").touch() if slow else (tmp_path / "slow").unlink(missing_ok=True)
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    assert started(1000, "yes") == (0, "")
    assert started(1000, "no", slow=True) == (0, "")
    assert started(2, "no") == (1, "status of it\nits own words\n")
    assert started(1000, "no") == (1, "status of it\nits own words\n")


def running_with(fake: FakeHost, answers: str) -> str:
    (command,) = fake.run(
        lambda: running(name="Run", service=UNIT, feeds=[PATH], answers=answers)
    ).commands
    return command.text


@pytest.mark.parametrize("applied", ["abc  - def  -", "abc def"])
def test_a_stamp_may_have_the_names_that_sha256sum_gives(applied: str) -> None:
    """An older deploy's has none, and its units are not restarted for that."""
    found = ServiceState().process(["wanted= abc  - def  -", f"applied={applied}"])
    assert found.applied == found.wanted == ["abc", "def"]


def test_a_unit_without_files_has_a_digest_too() -> None:
    """sha256sum without arguments reads standard input, which may never end."""
    text = ServiceState().command(UNIT, []).get_raw_value()
    (digest,) = re.findall(r"\$\(sha256sum [^)]*\)", text)
    endless, held_open = os.pipe()
    try:
        subprocess.run(["sh", "-c", f"echo {digest}"], stdin=endless, timeout=5, check=True)
    finally:
        os.close(endless)
        os.close(held_open)
