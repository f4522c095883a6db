"""Ways to cut oneself off: each is undone by the host within a minute, and the run says so.

Each is a deploy from a copy of this tree in which a line of what makes the firewall is wrong.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.deploy import running
from tests.lab.fixtures import MakeLab, RunningLab

_HEALED = 60.0
_GUARD = "/run/portcullis/guard"
_TABLE = "templates/firewall/portcullis.nft.j2"
_TASKS = "roles/firewall/tasks.py"

# What a line of the template becomes. `ct state new`, and not `accept` alone, is how most write it.
_OPEN = """tcp dport { {{ entrance.tcp | join(", ") }} } accept"""
_NEW = _OPEN.replace(" accept", " ct state new accept")
_KNOWN = "ct state established,related accept"
_NO_TRACK = "tcp dport 22 notrack\n        iif lo accept\n        tcp dport {{ ports }}"
WAYS = {
    "the wrong port": {_OPEN: "tcp dport { 443, 8443, 2222 } accept"},
    "a default drop without the SSH rule": {_OPEN: ""},
    "a default drop for what is established too": {_OPEN: "", _KNOWN: ""},
    "the wrong interface": {_OPEN: f'iifname "uplink7" {_OPEN}'},
    "a rule that drops new connections only": {_OPEN: f"tcp dport 22 ct state new drop\n{_OPEN}"},
    "notrack on port 22": {_OPEN: _NEW, "iif lo accept\n        tcp dport {{ ports }}": _NO_TRACK},
}


@pytest.fixture(scope="module")
def deployed(make_lab: MakeLab) -> RunningLab:
    lab = make_lab("debian-12")
    running.deploy(lab)
    return lab


def _wrong(directory: Path, changes: dict[str, str], file: str = _TABLE) -> Path:
    """A copy of what a deploy needs, with each of these strings in the file replaced once."""
    for name in ("app", "inventories", "roles", "templates", "tests"):
        shutil.copytree(running.ROOT / name, directory / name)
    for name in ("deploy.py", "pyproject.toml", "requirements.lock"):
        shutil.copy(running.ROOT / name, directory)
    place = directory / file
    text = place.read_text()
    for right, wrong in changes.items():
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    place.write_text(text)
    return directory


def _start(lab: RunningLab, tree: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        running.command("-y"),
        cwd=tree,
        env=running.environment(lab, PYTHONPATH=f"{tree}:{tree / 'app'}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _as_it_is(lab: RunningLab) -> tuple[list[str], str]:
    """All that a deploy may change, and our table, but not how often a table has been loaded."""
    listed = lab.ssh("sudo nft --stateless --terse list table inet portcullis")
    assert listed.returncode == 0, listed.stderr
    kept = [line for line in running.state(lab) if not line.startswith("table ")]
    return kept, listed.stdout


def _reachable(lab: RunningLab) -> bool:
    """Whether a new connection gets in."""
    options = ("-o", "ConnectTimeout=3", "-o", "ControlPath=none")
    return lab.ssh("true", options=options).returncode == 0


def _wait_until_reachable(lab: RunningLab, since: float) -> None:
    while not _reachable(lab):
        assert time.monotonic() < since + _HEALED, "the host did not heal itself"
        time.sleep(0.5)


@pytest.mark.parametrize("way", WAYS)
def test_a_host_that_was_cut_off_is_as_before_and_the_run_fails(
    deployed: RunningLab, tmp_path: Path, way: str
) -> None:
    before = _as_it_is(deployed)
    run = _start(deployed, _wrong(tmp_path, WAYS[way]))
    said, _ = run.communicate(timeout=120)
    # A run that ends this way has heard it from the host, over a new connection.
    assert _reachable(deployed)
    assert run.returncode == 1, said
    assert "load our own table: no new connection in time, so the host undid it" in said
    assert "Traceback" not in said
    assert _as_it_is(deployed) == before


def test_a_run_that_is_killed_before_it_confirms_is_undone(
    deployed: RunningLab, tmp_path: Path
) -> None:
    before = _as_it_is(deployed)
    run = _start(deployed, _wrong(tmp_path, WAYS["a default drop without the SSH rule"]))
    deadline = time.monotonic() + 60
    while _reachable(deployed):
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < deadline, "nothing was cut"
    cut = time.monotonic()
    run.kill()
    run.communicate()
    _wait_until_reachable(deployed, cut)
    assert _as_it_is(deployed) == before


def test_a_run_that_follows_a_killed_one_undoes_first_what_that_did_not_confirm(
    deployed: RunningLab,
) -> None:
    """The timer is far from its end: it is the new run that starts what undoes."""
    armed = (
        f"mkdir -p {_GUARD} && echo 'touch /run/undone' > {_GUARD}/undo &&"
        f" echo 'cd /run/portcullis && mv -T guard guard.undone && sh guard.undone/undo &&"
        f" rm -rf guard.undone' > {_GUARD}/restore &&"
        " systemd-run -q --collect --unit=portcullis-guard --service-type=oneshot --on-active=1h"
        f" sh {_GUARD}/restore"
    )
    assert deployed.ssh(f"sudo sh -c {running.quoted(armed)}").returncode == 0
    running.deploy(deployed)
    assert deployed.ssh(f"test -e /run/undone && test ! -e {_GUARD}").returncode == 0


def test_what_cannot_be_loaded_is_undone_at_once(deployed: RunningLab, tmp_path: Path) -> None:
    """The kernel refuses the table: the run fails with its reason, and no timer is left."""
    before = _as_it_is(deployed)
    run = _start(deployed, _wrong(tmp_path, {_KNOWN: "ct state surprised accept"}))
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 1, said
    assert "surprised" in said
    assert _as_it_is(deployed) == before
    left = deployed.ssh(f"test -e {_GUARD} || systemctl is-active portcullis-guard.timer")
    assert left.stdout == "inactive\n"


# Neither system lets SSH in by itself any more; whether it is on, its rules, what the kernel holds.
_CLOSE = """sudo sh -c '
if command -v ufw; then ufw --force reset; rm -f /etc/ufw/*rules.2*
else systemctl disable --now firewalld; firewall-offline-cmd --set-default-zone=drop
fi > /dev/null 2>&1'"""
_FIREWALL = """sudo sh -c '
systemctl is-active firewalld; grep -s ^ENABLED /etc/ufw/ufw.conf
find /etc/ufw/ufw.conf /etc/ufw/*.rules /etc/firewalld -type f 2> /dev/null | sort | xargs sha256sum
nft list tables | grep firewalld; iptables -S INPUT'"""


def test_ufw_and_firewalld_that_were_started_wrongly_are_off_again(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    """With the first run on each host, whose sshd it takes to be on another port."""
    lab = make_lab("el9-layout", "ubuntu-22.04-layout")
    for host in (0, 1):
        lab.ssh(_CLOSE, host)
    before = [lab.ssh(_FIREWALL, host).stdout for host in (0, 1)]
    right = "ssh = tuple(sorted({*survey.ssh, *([came_by] if came_by else [])})) or (22,)"
    run = _start(lab, _wrong(tmp_path, {right: "ssh = (2222,)"}, _TASKS))
    said, _ = run.communicate(timeout=500)
    assert [lab.ssh("true", host).returncode for host in (0, 1)] == [0, 0]
    assert run.returncode == 1, said
    for what in ("start firewalld", "switch ufw on"):
        reason = f"{what}, with SSH on 2222: no new connection in time, so the host undid it"
        assert reason in said
    assert [lab.ssh(_FIREWALL, host).stdout for host in (0, 1)] == before
    running.deploy(lab)
    on = [lab.ssh("sudo ufw status; systemctl is-active firewalld", host).stdout for host in (0, 1)]
    assert "active" in on[0].splitlines()
    assert "Status: active" in on[1]
