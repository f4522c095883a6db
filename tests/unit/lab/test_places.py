"""Files of a lab: locked, replaced whole, removed without a harm to anything else."""

import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.lab import places


def test_a_lock_ends_with_its_holder_and_leaves_no_file(tmp_path: Path) -> None:
    directory = tmp_path / "lab"
    script = (
        "import sys, time; from pathlib import Path; from tests.lab import places\n"
        f"with places.locked(Path({str(directory)!r}), ''): print('held', flush=True); "
        "time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script], cwd=places.CHECKOUT, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
    with places.locked(directory, "must not wait"):
        assert list(directory.iterdir()) == []


def test_who_waited_for_a_lab_that_went_away_makes_a_new_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lock on a directory that is no longer there would exclude nobody."""
    directory = tmp_path / "lab"
    entered = threading.Event()

    def wait() -> None:
        with places.locked(directory, "somebody is at work"):
            assert directory.is_dir()
            entered.set()

    with places.locked(directory, ""):
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert not entered.wait(0.2)
        directory.rmdir()
    waiter.join(10)
    assert entered.is_set()
    assert "waiting: somebody is at work" in capsys.readouterr().err


def test_a_secret_is_never_readable_by_others_not_even_while_it_is_replaced(
    tmp_path: Path,
) -> None:
    secret = tmp_path / "secret"
    (tmp_path / ".secret.new").write_text("left by a crash")
    places.write(secret, "one", 0o600)
    places.write(secret, "two", 0o600)
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("two", 0o600)
    assert list(tmp_path.iterdir()) == [secret]


def test_removing_follows_no_symlink(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").touch()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/link").symlink_to(tmp_path / "outside")
    places.remove_tree(tmp_path / "tree")
    assert (tmp_path / "outside/file").exists()
    places.remove_tree(tmp_path / "tree")  # once more is no error


def test_mount_points_are_found_below_a_directory() -> None:
    assert "/proc" in places.mounts_below(Path("/"))
    assert places.mounts_below(Path("/proc/self")) == []
