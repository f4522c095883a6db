"""roles.files: rendering, and files that are put in place by one rename."""

from __future__ import annotations

import getpass
import grp
import os
import subprocess
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from pyinfra.api import HiddenValue

from roles import files, history
from roles.files import managed_file
from roles.platform import Platform
from tests.unit.roles.fakehost import Command, FakeHost, Run

SECRET = "correct-horse-battery"


@pytest.fixture
def fake() -> FakeHost:
    return FakeHost(Platform.DEBIAN_12)


def _write(fake: FakeHost, content: str | HiddenValue, mode: str = "0640") -> Run:
    return fake.run(
        lambda: managed_file(
            name="Write it [BASE-02]",
            path="/etc/it",
            content=content,
            user="root",
            group="oauth_group",
            mode=mode,
        )
    )


def test_a_file_is_written_once(fake: FakeHost) -> None:
    first, second = _write(fake, "x\n"), _write(fake, "x\n")
    assert first.predicted == first.changed == ["Write it [BASE-02]"]
    assert (second.predicted, second.commands) == ([], [])
    written = fake.files["/etc/it"]
    assert (written.content, written.user, written.group, written.mode) == (
        *("x\n", "root", "oauth_group"),
        "0640",
    )


@pytest.mark.parametrize(("content", "mode"), [("y\n", "0640"), ("x\n", "0600")])
def test_another_content_or_mode_is_a_change(fake: FakeHost, content: str, mode: str) -> None:
    _write(fake, "x\n")
    assert _write(fake, content, mode).changed == ["Write it [BASE-02]"]


@pytest.mark.parametrize("hidden", [False, True])
def test_content_travels_on_standard_input_only(fake: FakeHost, hidden: bool) -> None:
    """What stands in an argument list can be read by every user of the host."""
    text = SECRET + "\n"
    (command,) = _write(fake, HiddenValue(text) if hidden else text).commands
    assert SECRET not in command.text
    assert command.stdin == text


def test_diff_shows_what_is_not_hidden(fake: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """`--diff` prints contents, and a hidden one must not be among them."""
    fake.diff = True
    caplog.set_level("INFO")
    _write(fake, "shown\n")
    _write(fake, HiddenValue(SECRET + "\n"))
    assert "shown" in caplog.text
    assert SECRET not in caplog.text


def test_a_variable_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="data"):
        files.render("chrony/chrony.conf.j2")


class TestScript:
    """The script itself, run here with files that the user who runs the tests owns."""

    @pytest.fixture
    def target(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(history, "STATE", str(tmp_path / "state"))
        target = tmp_path / "it's here" / "app.conf"
        target.parent.mkdir()
        target.write_text("old\n")
        return target

    @staticmethod
    def _command(target: Path, check: str | None = None) -> Command:
        run = FakeHost(Platform.DEBIAN_12).run(
            lambda: managed_file(
                name="Write it [BASE-02]",
                path=str(target),
                content="new\n",
                user=getpass.getuser(),
                group=grp.getgrgid(os.getgid()).gr_name,
                mode="0604",
                check=check,
            )
        )
        return run.commands[0]

    @staticmethod
    def _execute(command: Command, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", command.text],
            input=command.stdin if stdin is None else stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_it_replaces_the_file_and_leaves_nothing_else(self, target: Path) -> None:
        done = self._execute(self._command(target))
        assert (done.returncode, done.stderr) == (0, "")
        assert target.read_text() == "new\n"
        assert target.stat().st_mode & 0o7777 == 0o604
        assert list(target.parent.iterdir()) == [target]

    def test_the_checker_sees_the_new_file_under_its_own_name(self, target: Path) -> None:
        check = 'test "${candidate##*/}" = app.conf && grep -q new "$candidate" && echo seen'
        assert self._execute(self._command(target, check)).stdout == "seen\n"

    def test_what_the_checker_refuses_stays_out(self, target: Path) -> None:
        done = self._execute(self._command(target, 'echo "line 1: bad" >&2; false'))
        assert done.returncode != 0
        assert "line 1: bad" in done.stderr
        assert target.read_text() == "old\n"
        assert list(target.parent.iterdir()) == [target]

    def test_an_upload_that_was_cut_off_is_refused(self, target: Path) -> None:
        done = self._execute(self._command(target), stdin="ne")
        assert done.returncode != 0
        assert "cut off" in done.stderr
        assert target.read_text() == "old\n"

    def test_a_symlink_is_replaced_and_not_followed(self, target: Path) -> None:
        elsewhere = target.with_name("elsewhere")
        target.rename(elsewhere)
        target.symlink_to(elsewhere)
        assert self._execute(self._command(target)).returncode == 0
        assert elsewhere.read_text() == "old\n"
        assert not target.is_symlink()

    def test_what_a_killed_run_left_goes_once_it_is_old(self, target: Path) -> None:
        """A younger one may belong to a run that is still at work."""
        stale, young = (target.with_name(f".portcullis-{name}") for name in ("stale", "young"))
        stale.mkdir()
        young.mkdir()
        os.utime(stale, (0, 0))
        self._execute(self._command(target))
        assert not stale.exists()
        assert young.exists()
