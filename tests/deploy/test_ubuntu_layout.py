"""The layout of Ubuntu 22.04: what the kind is, and the deploy beside a firewall that is on."""

from __future__ import annotations

import time

import pytest

from tests.deploy import running
from tests.lab import tour
from tests.lab.fixtures import MakeLab, RunningLab
from tests.lab.machine import LabError

# What an operator has told ufw: none of it is the deploy's to change.
_OPERATORS = (
    "ufw deny from 192.0.2.7",
    "ufw limit 2222/tcp",
    "ufw allow in on host0 to any port 53",
)


@pytest.fixture(scope="module")
def bare(make_lab: MakeLab) -> RunningLab:
    return make_lab("ubuntu-22.04-layout")


@pytest.fixture(scope="module")
def ubuntu(bare: RunningLab) -> RunningLab:
    for rule in _OPERATORS:
        root(bare, rule)
    running.deploy(bare)
    return bare


def root(lab: RunningLab, command: str) -> str:
    done = lab.ssh(f"sudo {command}")
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def reboot(lab: RunningLab) -> None:
    def booted() -> str:
        return lab.ssh("stat --format=%Y-%i /run/systemd/system /proc/1/cmdline").stdout

    before = booted()
    lab.ssh("sudo systemctl reboot")
    deadline = time.monotonic() + 30
    while booted() in ("", before):
        assert time.monotonic() < deadline, "the host did not come back"
        time.sleep(0.2)
    assert lab.ssh("systemctl is-system-running --wait").stdout == "running\n"
    # The audit asks whether the clock follows a source, which takes some seconds after a boot.
    assert lab.ssh("sudo chronyc waitsync 60 0 0 1").returncode == 0


class TestKind:
    def test_it_says_that_it_is_a_layout(self, bare: RunningLab) -> None:
        """Programs read an Ubuntu, people read that it is none."""
        script = '. /etc/os-release; printf "%s\\n" "$ID $VERSION_ID" "$NAME" "$PRETTY_NAME"'
        identifier, *names = bare.ssh(script).stdout.splitlines()
        assert identifier == "ubuntu 22.04"
        assert [name for name in names if "ayout" in name and "from Debian 12" in name] == names

    def test_its_firewall_is_on_and_lets_in_ssh_alone(self, bare: RunningLab) -> None:
        shown = root(bare, "ufw status verbose")
        assert "Status: active\n" in shown
        assert "Default: deny (incoming)" in shown
        assert [line.split()[0] for line in shown.splitlines() if "ALLOW" in line] == ["22/tcp"] * 2
        assert "-P INPUT DROP\n" in root(bare, "iptables -S INPUT")

    def test_its_logins_stand_in_auth_log(self, bare: RunningLab) -> None:
        assert "Accepted publickey for deploy" in root(bare, "cat /var/log/auth.log")
        assert bare.ssh("stat -c '%U %G %a' /var/log").stdout == "root syslog 775\n"

    def test_without_the_deploy_its_firewall_takes_martians_out_of_the_log(
        self, bare: RunningLab
    ) -> None:
        """Else the proof that the deploy's value wins would be none."""
        assert bare.ssh("cat /proc/sys/net/ipv4/conf/all/log_martians").stdout == "0\n"


class TestFirewall:
    def test_it_is_told_of_two_ports_and_keeps_all_else(self, ubuntu: RunningLab) -> None:
        added = root(ubuntu, "ufw show added").splitlines()[1:]
        assert added == [
            "ufw allow OpenSSH",
            *_OPERATORS,
            "ufw allow 443/tcp comment 'Portcullis'",
            "ufw allow 8443/tcp comment 'Portcullis'",
        ]

    def test_the_settings_hold_after_its_reload_and_after_a_reboot(
        self, ubuntu: RunningLab
    ) -> None:
        """ufw applies its own file at each start; the audit looks at the live values, too."""
        root(ubuntu, "ufw reload")
        assert running.hosts_that_meet_all(tour.audit(ubuntu.name)) == 1
        reboot(ubuntu)
        assert running.hosts_that_meet_all(tour.audit(ubuntu.name)) == 1
        assert running.pending(ubuntu) == []

    def test_bans_outlive_its_reload(self, ubuntu: RunningLab) -> None:
        root(ubuntu, "fail2ban-client set oauth-server banip 192.0.2.9")
        root(ubuntu, "ufw reload")
        assert "192.0.2.9" in root(ubuntu, "nft list table inet portcullis-bans")
        root(ubuntu, "fail2ban-client set oauth-server unbanip 192.0.2.9")

    def test_the_audit_notices_a_file_of_its_that_undoes_a_setting(
        self, ubuntu: RunningLab, capfd: pytest.CaptureFixture[str]
    ) -> None:
        root(ubuntu, "sed -i.kept /log_martians.=/d /etc/ufw/sysctl.conf")
        with pytest.raises(LabError):
            tour.audit(ubuntu.name)
        root(ubuntu, "mv /etc/ufw/sysctl.conf.kept /etc/ufw/sysctl.conf")
        report = capfd.readouterr().err
        assert [line.split()[0] for line in report.splitlines() if "NOT MET" in line] == ["NET-07"]
        assert running.pending(ubuntu) == []

    def test_a_port_that_an_operator_limited_stays_limited(self, ubuntu: RunningLab) -> None:
        allowed = "8443/tcp comment Portcullis"
        only = f"allow from {ubuntu.hosts[0].address}/24 to any port 8443 proto tcp"
        root(ubuntu, f"ufw delete allow {allowed}")
        root(ubuntu, f"ufw {only}")
        assert running.pending(ubuntu) == []
        root(ubuntu, f"ufw delete {only}")
        assert running.pending(ubuntu) == ["firewall | Open the ports in ufw [GW-02]"]
        running.deploy(ubuntu)
        assert running.pending(ubuntu) == []

    @pytest.mark.parametrize("program", ["iptables", "ip6tables"])
    def test_a_rule_that_a_killed_run_noted_and_did_not_load_is_loaded(
        self, ubuntu: RunningLab, program: str
    ) -> None:
        chain = "ufw-user-input" if program == "iptables" else "ufw6-user-input"
        rule = f"{chain} -p tcp --dport 443 -j ACCEPT"
        root(ubuntu, f"{program} -D {rule}")
        assert running.pending(ubuntu) == ["firewall | Open the ports in ufw [GW-02]"]
        running.deploy(ubuntu)
        root(ubuntu, f"{program} -C {rule}")
        assert running.pending(ubuntu) == []

    def test_one_that_an_operator_stopped_is_not_started(self, ubuntu: RunningLab) -> None:
        root(ubuntu, "systemctl restart ufw")
        root(ubuntu, "ufw delete allow 443/tcp comment Portcullis")
        root(ubuntu, "systemctl stop ufw")
        refused = running.pyinfra(ubuntu, "-y")
        assert refused.returncode == 1
        assert "ufw is enabled and does not run: at the next boot it would close 443" in (
            refused.stdout + refused.stderr
        )
        assert "Traceback" not in refused.stdout + refused.stderr
        root(ubuntu, "systemctl start ufw")
        running.deploy(ubuntu)
        root(ubuntu, "systemctl stop ufw")
        running.deploy(ubuntu)
        assert root(ubuntu, "ufw status") == "Status: inactive\n"
