"""sudo that needs a password gets it, and nobody else does."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import pytest

from tests.deploy import running
from tests.lab.fixtures import RunningLab

_PASSWORD = "sudo's \\ own $(word)"  # with all that a shell would make something of
_SUDOERS = "/etc/sudoers.d/deploy"
_SOURCE = "{'sudo_password': {'env': 'PROBE_PASSWORD'}}"

# As any account of the host sees it: all arguments, and the environments of its own processes.
_WATCH = """
while test -e /run/watch; do
  cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | sort -u >> /tmp/seen
  sort -u -o /tmp/seen /tmp/seen
done
"""
_PLACES = "/tmp /var/tmp /run /var/log /var/lib/portcullis /var/lib/sudo /home /root /etc /opt"


@pytest.fixture(scope="module")
def guarded(deployed: RunningLab) -> Iterator[RunningLab]:
    """The deployed host, with a password before sudo."""
    _root(deployed, f"printf %s {quote(f'deploy:{_PASSWORD}')} | chpasswd")
    _root(deployed, f"sed -i 's/ NOPASSWD:/ /' {_SUDOERS}")
    assert deployed.ssh("sudo -n true").returncode == 1
    yield deployed
    _root(deployed, f"sed -i 's/ ALL$/ NOPASSWD: ALL/' {_SUDOERS}; passwd -l deploy")
    assert deployed.ssh("sudo -n true").returncode == 0
    running.deploy(deployed)


def _root(lab: RunningLab, script: str) -> str:
    """Run shell as root, whether or not sudo asks."""
    argv = ["ssh", "-F", str(lab.ssh_config), lab.hosts[0].name]
    command = f"sudo -S -p '' sh -c {quote(script)}"
    done = subprocess.run(
        [*argv, command], input=f"{_PASSWORD}\n", capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@contextmanager
def _watched_by_nobody(lab: RunningLab) -> Iterator[list[str]]:
    _root(lab, "touch /run/watch; rm -f /tmp/seen")
    watch = f"sudo -S -p '' timeout 120 setpriv --reuid=nobody --clear-groups sh -c {quote(_WATCH)}"
    with subprocess.Popen(
        ["ssh", "-F", str(lab.ssh_config), lab.hosts[0].name, watch],
        stdin=subprocess.PIPE,
        text=True,
    ) as watcher:
        assert watcher.stdin is not None
        watcher.stdin.write(f"{_PASSWORD}\n")
        watcher.stdin.close()
        seen: list[str] = []
        try:
            yield seen
        finally:
            _root(lab, "rm -f /run/watch")
    seen.append(_root(lab, "cat /tmp/seen; rm /tmp/seen"))


def test_a_deploy_changes_what_is_to_change_and_nobody_sees_the_password(
    guarded: RunningLab, tmp_path: Path
) -> None:
    """/tmp does not even let programs run: pyinfra's own way would need a script there."""
    inventory = running.changed_inventory(tmp_path, _SOURCE)
    _root(guarded, "rm /etc/oauth2/clients.json; mount -o remount,noexec,nosuid,nodev /tmp")
    said = ""
    try:
        with _watched_by_nobody(guarded) as seen:
            for arguments in (
                ("--dry", "-vvv", "--debug", "--debug-all"),
                ("-y", "-vvv", "--debug"),
            ):
                result = running.pyinfra(
                    guarded, *arguments, inventory=inventory, PROBE_PASSWORD=_PASSWORD
                )
                said += result.stdout + result.stderr
                assert result.returncode == 0, said
        left = _root(guarded, f"grep -rlF {quote(_PASSWORD)} {_PLACES} 2> /dev/null")
    finally:
        _root(guarded, "mount -o remount,exec /tmp")
    journal = _root(guarded, "journalctl --no-pager --output=export")
    assert "lab_gateway" in _root(guarded, "cat /etc/oauth2/clients.json")
    assert "/etc/oauth2/clients.json" in seen[0], "the watcher saw nothing of the run"
    assert "sudo" in journal
    for text in (said, seen[0], left, journal):
        assert _PASSWORD not in text
        assert quote(_PASSWORD) not in text
    assert left == ""


def test_a_wrong_password_is_one_clear_error(guarded: RunningLab, tmp_path: Path) -> None:
    said = _refused(guarded, running.changed_inventory(tmp_path, _SOURCE), "wrong-password")
    assert "sudo refuses the password that it was given" in said
    assert "wrong-password" not in said


def test_no_password_and_no_terminal_is_one_clear_error(
    guarded: RunningLab, tmp_path: Path
) -> None:
    said = _refused(guarded, running.changed_inventory(tmp_path, "{}"), "")
    assert "sudo wants a password: name where it lies with sudo_password" in said


def _refused(lab: RunningLab, inventory: str, password: str) -> str:
    result = running.pyinfra(lab, "-y", inventory=inventory, PROBE_PASSWORD=password)
    said = result.stdout + result.stderr
    assert result.returncode == 1, said
    assert "Traceback" not in said
    assert said.count(f"{lab.hosts[0].name}: sudo ") == 1, said
    return said


@pytest.mark.parametrize("more", [(), ("--same-sudo-password",)])
def test_at_a_terminal_it_is_asked_for(guarded: RunningLab, more: tuple[str, ...]) -> None:
    """By pyinfra, which then hands it over as if it stood in the inventory."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(running.ROOT)
        os.execvpe(  # noqa: S606
            running.command()[0], running.command("--dry", *more), running.environment(guarded)
        )
    said = b""
    try:
        while block := _read(terminal):
            said += block
            if said.endswith(b"sudo password: "):
                os.write(terminal, f"{_PASSWORD}\n".encode())
    finally:
        os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert status == 0, said.decode()
    assert said.count(b"sudo password: ") == 1
    assert _PASSWORD.encode() not in said
    assert b"Run the server" in said


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""
