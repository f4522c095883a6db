"""What tells the kinds of lab host apart: each is as its name says, and no more than a layout."""

import pytest

from tests.lab.fixtures import MakeLab, RunningLab


@pytest.fixture(scope="module")
def ubuntu(make_lab: MakeLab) -> RunningLab:
    return make_lab("ubuntu-22.04-layout")


def test_the_ubuntu_layout_says_that_it_is_one(ubuntu: RunningLab) -> None:
    """Programs read an Ubuntu, people read that it is none."""
    script = '. /etc/os-release && echo "$ID $VERSION_ID" && echo "$NAME" && echo "$PRETTY_NAME"'
    identifier, *names = ubuntu.ssh(script).stdout.splitlines()
    assert identifier == "ubuntu 22.04"
    assert [("ayout" in name, "emulated from Debian 12" in name) for name in names] == [
        (True, True)
    ] * 2


def test_its_firewall_is_active_and_lets_only_ssh_in(ubuntu: RunningLab) -> None:
    shown = ubuntu.ssh("sudo ufw status verbose").stdout
    assert "Status: active\n" in shown
    assert "Default: deny (incoming)" in shown
    assert [line.split()[0] for line in shown.splitlines() if "ALLOW" in line] == ["22/tcp"] * 2
    assert "-P INPUT DROP\n" in ubuntu.ssh("sudo iptables -S INPUT").stdout


def test_its_logins_stand_in_auth_log(ubuntu: RunningLab) -> None:
    """As on Ubuntu, and in Debian's journal as well."""
    assert "Accepted publickey for deploy" in ubuntu.ssh("sudo cat /var/log/auth.log").stdout
