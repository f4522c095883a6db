"""What could cut SSH: armed, changed, and confirmed by a command of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from roles import guard

_SYSTEMD = """#!/bin/sh
echo "$(basename "$0") $*" >> "{log}"
"""


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of /run/portcullis, with a systemd that only notes what it is asked for."""
    for name in ("systemctl", "systemd-run"):
        tool = tmp_path / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(_SYSTEMD.format(log=tmp_path / "log"))
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "portcullis"


def _scripts(run_dir: Path, save: str, *commands: str) -> list[str]:
    texts = [one.get_raw_value() for one in guard.guarded("it's risky", save, *commands)]
    return [text.replace("/run/portcullis", str(run_dir)) for text in texts]


def _sh(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)


def test_a_change_is_armed_before_and_disarmed_by_its_confirmation(run_dir: Path) -> None:
    arm, confirm = _scripts(run_dir, "echo touch undone", f"cp {run_dir}/../log seen")
    assert _sh(f"mkdir -p {run_dir} && {arm}").returncode == 0
    assert "--on-active=20" in (run_dir / "seen").read_text(), "armed before the change"
    assert (run_dir / "guard/undo").read_text() == "touch undone\n"
    assert _sh(confirm).returncode == 0
    assert not (run_dir / "guard").exists()
    assert (run_dir / "../log").read_text().endswith("systemctl stop portcullis-guard.timer\n")


def test_the_timer_undoes_it_and_a_confirmation_that_comes_later_is_told(run_dir: Path) -> None:
    arm, confirm = _scripts(run_dir, "echo touch undone", "true")
    assert _sh(arm).returncode == 0
    said = _sh(f"sh {run_dir}/guard/restore")
    assert said.stdout == "undone, because no new connection confirmed it: it's risky\n"
    assert (run_dir / "undone").exists()
    late = _sh(confirm)
    assert late.returncode == 1
    assert late.stderr == "it's risky: no new connection in time, so the host undid it\n"
    assert _sh(f"sh {run_dir}/guard.undone/restore").returncode != 0, "nothing is left of it"


def test_a_change_that_fails_is_undone_at_once(run_dir: Path) -> None:
    arm, confirm = _scripts(run_dir, "echo touch undone", "(exit 7)", "touch went-on")
    assert _sh(arm).returncode == 7
    assert (run_dir / "undone").exists()
    assert not (run_dir / "went-on").exists()
    assert _sh(confirm).returncode == 1


def test_nothing_is_changed_where_the_present_state_cannot_be_saved(run_dir: Path) -> None:
    arm, _ = _scripts(run_dir, "false", "touch changed")
    assert _sh(arm).returncode != 0
    assert not (run_dir / "changed").exists()
    assert not (run_dir / "guard").exists()


def test_only_root_reads_what_undoes_it(run_dir: Path) -> None:
    arm, _ = _scripts(run_dir, "true", "true")
    _sh(arm)
    assert (run_dir / "guard").stat().st_mode & 0o077 == 0
    assert (run_dir / "guard/undo").stat().st_mode & 0o077 == 0
