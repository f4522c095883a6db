"""EL's own ways, on a host in EL 9's layout: dnf's transactions and locks, firewalld's ports."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.deploy import running
from tests.lab.fixtures import MakeLab, RunningLab

_BEGUN = "/var/lib/portcullis/packages-before"


@pytest.fixture(scope="module")
def el9(make_lab: MakeLab) -> RunningLab:
    lab = make_lab("el9-layout")
    running.deploy(lab)
    return lab


def _root(lab: RunningLab, script: str) -> str:
    done = lab.ssh(f"sudo sh -ec {running.quoted(script)}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_called_a_layout_wherever_a_host_says_what_it_is(el9: RunningLab) -> None:
    said = _root(el9, "cat /etc/os-release /etc/redhat-release")
    assert said.count("EL 9 layout") == 3
    assert "Red Hat" not in said


def test_the_deploy_brought_the_servers_python_and_used_no_other(el9: RunningLab) -> None:
    """dnf's own interpreter is one that the server could run on, and is not found."""
    assert _root(el9, "ls /usr/bin/python3*") == "/usr/bin/python3.11\n"
    assert "python3.11" in _root(el9, "rpm -qf /usr/bin/python3.11")
    assert _root(el9, "readlink /proc/$(pgrep -o -u oauth_user)/exe") == "/usr/bin/python3.11\n"
    assert el9.ssh("command -v apt-get dpkg").stdout == ""


def test_packages_that_are_gone_are_installed_once_a_strangers_lock_is_released(
    el9: RunningLab,
) -> None:
    """rpm's database is locked as another dnf would, by a process that lives for a while."""
    lock = "/var/lib/dnf/rpmdb_lock.pid"
    _root(el9, "rpm -e --nodeps openssl")
    _root(el9, f"systemd-run -q --unit=stranger sh -c 'echo $$$$ > {lock}; exec sleep 99'")
    deploy = subprocess.Popen(
        running.command("-y"),
        cwd=running.ROOT,
        env=running.environment(el9),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _root(el9, f"until test -e {_BEGUN}; do sleep 0.1; done; sleep 2")
        assert deploy.poll() is None
        assert el9.ssh("rpm -q openssl").returncode == 1
    finally:
        _root(el9, "systemctl stop stranger")
        said, _ = deploy.communicate(timeout=120)
    assert deploy.returncode == 0, said
    _root(el9, f"rpm -q openssl; test ! -e {_BEGUN}")


def test_a_dnf_that_was_killed_is_finished_by_the_next_run(el9: RunningLab) -> None:
    """With SIGKILL as soon as nginx is recorded; what else has had its turn by then is open."""
    _root(el9, "systemctl stop nginx; rpm -e --nodeps nginx logrotate chrony; userdel nginx")
    # Where its first script made no user, only a package that is installed anew gets one.
    watch = "until rpm -q nginx; do sleep 0.02; done; kill -9 $(pgrep -x dnf); userdel nginx"
    _root(el9, f"systemd-run -q --unit=watch sh -c {running.quoted(watch)}")
    killed = running.pyinfra(el9, "-y")
    assert killed.returncode == 1, killed.stdout + killed.stderr
    _root(el9, f"test -e {_BEGUN}")
    running.deploy(el9)
    assert running.pending(el9) == []
    _root(el9, f"id nginx; rpm -q nginx logrotate chrony; test ! -e {_BEGUN}")
    # What a package brings and nothing of ours writes.
    assert _root(el9, "rpm -V nginx logrotate | grep -v ' c /' || :") == ""


def test_a_closed_port_is_opened_and_nobodys_rule_is_touched(el9: RunningLab) -> None:
    """Neither what others opened, for good or until the next reload, nor how SSH gets in."""
    ours = "--remove-port=443/tcp"
    _root(el9, "firewall-cmd --permanent --add-rich-rule='rule service name=ftp reject'")
    _root(el9, f"firewall-cmd --add-port=9999/tcp; firewall-cmd {ours} --remove-port=8443/tcp")
    before = _zone(el9)
    address = el9.hosts[0].address
    assert not _connects(address, 443)
    running.deploy(el9)
    assert _connects(address, 443)
    assert _zone(el9) ^ before == {("live", "ports:", "443/tcp"), ("live", "ports:", "8443/tcp")}
    assert ("permanent", "services:", "ssh") in before


def _zone(lab: RunningLab) -> set[tuple[str, ...]]:
    """What firewalld's default zone says: a tuple of when, of what, and each word."""
    shown = {
        "live": _root(lab, "firewall-cmd --list-all"),
        "permanent": _root(lab, "firewall-cmd --permanent --list-all"),
    }
    lines = [(when, line.split()) for when, text in shown.items() for line in text.splitlines()]
    return {(when, words[0], word) for when, words in lines for word in words[1:]}


def _connects(address: str, port: int) -> bool:
    script = f"import socket; socket.create_connection(({address!r}, {port}), 3)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    return done.returncode == 0
