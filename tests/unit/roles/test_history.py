"""What the deploy did not write is told of and kept; run here, on files of the test's user."""

from __future__ import annotations

import fcntl
import getpass
import grp
import os
import subprocess
from pathlib import Path

import pytest

from roles import history
from roles.facts import FileState, FileStates
from roles.files import managed_file
from roles.platform import Platform
from tests.unit.roles.fakehost import Command, FakeHost

_GROUP = grp.getgrgid(os.getgid()).gr_name


_TO_RECORD = 'mv -T "$record.new" "$record"'


class _Place:
    """One file, its deploys, and what was kept of it."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.target = directory / "etc" / "app.conf"
        self.target.parent.mkdir()

    def command(self, content: str) -> Command:
        fake = FakeHost(Platform.DEBIAN_12)
        (command,) = fake.run(
            lambda: managed_file(
                name="Write it [BASE-02]",
                path=str(self.target),
                content=content,
                user=getpass.getuser(),
                group=_GROUP,
            )
        ).commands
        return command

    def deploy(self, content: str) -> None:
        self.run(self.command(content).text, content)

    @staticmethod
    def run(script: str, stdin: str = "") -> None:
        subprocess.run(["sh", "-c", script], input=stdin, text=True, check=True)

    @property
    def origin(self) -> str:
        return self.found.origin.partition(" ")[0]

    @property
    def found(self) -> FileState:
        fact = FileStates()
        command = fact.command([str(self.target)]).get_raw_value()
        told = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        return fact.process(told.stdout.splitlines())[str(self.target)]

    @property
    def kept(self) -> list[str]:
        kept = self.state / "backups" / str(self.target.parent).lstrip("/")
        return [path.read_text() for path in sorted(kept.glob("*"))] if kept.exists() else []


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Place:
    monkeypatch.setattr(history, "STATE", str(tmp_path / "state"))
    return _Place(tmp_path)


def test_what_the_deploy_wrote_is_replaced_without_a_word(place: _Place) -> None:
    place.deploy("one\n")
    assert place.origin == "ours"
    place.deploy("two\n")
    assert (place.origin, place.kept) == ("ours", [])


def test_what_somebody_edited_is_known_and_kept_for_root_alone(place: _Place) -> None:
    place.deploy("one\n")
    place.target.write_text("edited\n")
    place.target.chmod(0o604)
    assert place.found.origin.startswith("edited 20")
    place.deploy("two\n")
    assert place.kept == ["edited\n"]
    assert place.origin == "ours"
    assert (place.state / "backups").stat().st_mode & 0o077 == 0
    (kept,) = (place.state / "backups").rglob("app.conf.*")
    assert kept.stat().st_mode & 0o777 == 0o604


def test_what_was_there_before_the_first_deploy_is_kept(place: _Place) -> None:
    place.target.write_text("somebody's own\n")
    assert place.origin == "foreign"
    place.deploy("one\n")
    assert place.kept == ["somebody's own\n"]


def test_a_link_is_kept_as_a_link(place: _Place) -> None:
    place.target.symlink_to("elsewhere")
    place.deploy("one\n")
    (kept,) = (place.state / "backups").rglob("app.conf.*")
    assert kept.readlink() == Path("elsewhere")


def test_a_deploy_from_before_there_were_notes_is_no_somebody(place: _Place) -> None:
    (place.state / "applied").mkdir(parents=True)
    place.target.write_text("of an early deploy\n")
    assert place.origin == "earlier"
    other = place.target.with_name("other.conf")
    place.deploy("one\n")
    assert place.kept == ["of an early deploy\n"]
    other.write_text("of an early deploy, too\n")
    place.target = other
    assert place.origin == "earlier"


def test_no_more_than_the_last_ten_are_kept(place: _Place) -> None:
    place.deploy("one\n")
    kept = place.state / "backups" / str(place.target.parent).lstrip("/")
    kept.mkdir(parents=True)
    for day in range(10, 22):
        (kept / f"app.conf.202601{day}T000000Z").write_text(f"{day}\n")
    place.target.write_text("edited\n")
    place.deploy("two\n")
    assert place.kept == [*(f"{day}\n" for day in range(13, 22)), "edited\n"]


def test_versions_with_one_time_are_both_kept(place: _Place) -> None:
    for text in ("one edit\n", "another edit\n"):
        place.deploy("one\n")
        place.target.write_text(text)
        os.utime(place.target, (10**9, 10**9))
    place.deploy("one\n")
    assert sorted(place.kept) == ["another edit\n", "one edit\n"]


@pytest.mark.parametrize("end", ['mv -T "$candidate" "$target"', f"{_TO_RECORD}\n'"])
def test_a_run_that_is_killed_leaves_nothing_that_passes_for_an_edit(
    place: _Place, end: str
) -> None:
    """Before the file is in its place, and after."""
    place.deploy("one\n")
    script = place.command("two\n").text
    assert script.count(end) == 1
    place.run(script.replace(end, f"exit 0\n{end}"), "two\n")
    assert place.origin == "unfinished"
    place.deploy("three\n")
    assert (place.origin, place.kept) == ("ours", [])


def test_of_two_runs_one_writes_down_what_was_there_and_the_other_waits(place: _Place) -> None:
    place.deploy("one\n")
    place.target.write_text("edited\n")
    with (place.state / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(
            ["sh", "-c", place.command("two\n").text], stdin=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):
            second.communicate("two\n", timeout=0.5)
        assert place.target.read_text() == "edited\n"
        assert place.kept == []
    assert second.wait(30) == 0
    assert (place.target.read_text(), place.kept) == ("two\n", ["edited\n"])


def test_an_edit_that_a_killed_run_kept_already_is_kept_once(place: _Place) -> None:
    place.deploy("one\n")
    place.target.write_text("edited\n")
    script = place.command("two\n").text.replace('mv -T "$candidate"', 'exit 0; mv -T "$candidate"')
    place.run(script, "two\n")
    assert place.origin == "edited"
    place.deploy("two\n")
    assert place.kept == ["edited\n"]


def test_a_file_that_is_right_already_is_noted_once() -> None:
    """Of an earlier deploy, or edited into what is wanted."""
    fake = FakeHost(Platform.DEBIAN_12)

    def write() -> None:
        managed_file(name="Write it [BASE-02]", path="/etc/it", content="x\n")

    fake.run(write)
    fake.origins["/etc/it"] = "earlier"
    (command,) = fake.run(write).commands
    assert command.stdin == ""
    assert fake.run(write).commands == []


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("edited 2026-11-25T10:00:00Z", "changed by hand since the deploy of 2026-11-25T10:00:00Z"),
        ("foreign", "was there before the first deploy, and is not the distribution's"),
        ("distribution", None),
        ("earlier", None),
        ("unfinished", None),
        ("ours", None),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_an_edit_is_told_of_once_with_host_and_path(
    origin: str, said: str | None, dry: bool, caplog: pytest.LogCaptureFixture
) -> None:
    fake = FakeHost(Platform.DEBIAN_12)

    def write(content: str) -> None:
        managed_file(name="Write it [BASE-02]", path="/etc/it", content=content)

    fake.run(write, "x\n")
    fake.origins["/etc/it"] = origin
    fake.run(write, "y\n", dry=dry)
    lines = [record.message for record in caplog.records if "/etc/it" in record.message]
    assert [said in line and "@fake/host" in line for line in lines if said] == (
        [True] if said else []
    )
    if said is None:
        assert lines == []
