"""The host's firewall: opened for what is served, where it runs, and touched nowhere else."""

from __future__ import annotations

import pytest

from roles.errors import DeployError
from roles.firewall.tasks import firewall
from roles.hostdata.firewall import FirewallData
from roles.platform import Platform
from roles.topology import Place
from tests.unit.roles.fakehost import FakeHost

_ASKED = "org.fedoraproject.FirewallD1"
_LOADED = {"unshare --net": "same"}


def _commands(answers: list[str]) -> list[str]:
    return _told(FakeHost(Platform.EL_9, responses={_ASKED: answers, **_LOADED}))


def _told(host: FakeHost, *more: int) -> list[str]:
    """What the distribution's firewall is told; our own table is loaded already."""
    run = host.run(firewall, host.platform, Place("here"), FirewallData(), more)
    return [command.text for command in run.commands if "[GW-02]" in command.operation]


def test_firewalld_that_is_off_is_left_alone() -> None:
    assert _commands([]) == []


def test_ports_that_are_open_now_and_after_a_reboot_are_left_alone() -> None:
    opened = [f"{w} {port} b true" for port in (443, 8443) for w in ("live", "permanent")]
    assert _commands(opened) == []


def test_what_firewalld_keeps_closed_is_opened_permanently_and_live_without_a_reload() -> None:
    closed = [f"{w} {port} b false" for port in (443, 8443) for w in ("live", "permanent")]
    assert _commands(closed) == [
        "firewall-cmd --quiet --permanent --add-port=443/tcp --add-port=8443/tcp",
        "firewall-cmd --quiet --add-port=443/tcp --add-port=8443/tcp",
    ]


def test_only_what_is_missing_is_opened() -> None:
    """A run that was killed between the two is finished by the next."""
    answers = [
        "live 443 b false",
        "permanent 443 b true",
        "live 8443 b true",
        "permanent 8443 b true",
    ]
    assert _commands(answers) == ["firewall-cmd --quiet --add-port=443/tcp"]


def test_a_bus_that_gives_no_answer_does_not_count_as_open() -> None:
    assert _commands(["live 443", "permanent 443 b true"]) == [
        "firewall-cmd --quiet --add-port=443/tcp"
    ]


_OURS = "in comment=506f727463756c6c6973"
_ANY = {"4": "0.0.0.0/0 any 0.0.0.0/0", "6": "::/0 any ::/0"}


def _noted(
    port: int | str, end: str = _OURS, action: str = "allow tcp", only: str = "46"
) -> list[str]:
    return [f"{version} noted {action} {port} {_ANY[version]} {end}" for version in only]


def _loaded(port: int, only: str = "46") -> list[str]:
    chain = {"4": "ufw-user-input", "6": "ufw6-user-input"}
    return [f"{v} loaded -A {chain[v]} -p tcp -m tcp --dport {port} -j ACCEPT" for v in only]


def _told_ufw(*lines: str) -> list[str]:
    running = [*lines, "4 loaded -N ufw-user-input"] if lines else []
    return _told_stopped_ufw(*running)


def _told_stopped_ufw(*lines: str) -> list[str]:
    return _told(FakeHost(Platform.UBUNTU_22_04, responses={"ENABLED=yes": list(lines), **_LOADED}))


_ALLOW = ["ufw allow 443/tcp comment Portcullis", "ufw allow 8443/tcp comment Portcullis"]
_OPEN_8443 = [*_noted(8443), *_loaded(8443)]


def test_a_ufw_that_is_off_or_absent_is_left_alone() -> None:
    assert _told_ufw() == []


def test_an_active_ufw_is_told_of_both_ports() -> None:
    ssh = _noted(22, "OpenSSH - in")
    assert _told_ufw("on", "ipv6", *ssh) == _ALLOW


def test_a_port_that_only_some_hosts_have_open_is_opened_there() -> None:
    opened = [*_noted(443), *_loaded(443), *_OPEN_8443]
    answers = ["on", "ipv6", *opened, "4 loaded -N ufw-user-input"]
    fake = FakeHost(Platform.UBUNTU_22_04, responses={"ENABLED=yes": answers, **_LOADED})
    assert _told(fake, 80) == ["ufw allow 80/tcp comment Portcullis"]


def test_ports_that_ufw_has_open_are_left_alone() -> None:
    opened = [*_noted(443), *_loaded(443), *_OPEN_8443]
    assert _told_ufw("on", "ipv6", *opened) == []


def test_a_ufw_that_does_not_filter_ipv6_needs_no_rule_for_it() -> None:
    opened = [line for port in (443, 8443) for line in (*_noted(port, only="4"), *_loaded(port))]
    assert _told_ufw("on", *[line for line in opened if line[0] == "4"]) == []


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(_noted(443, "in"), id="allowed-by-hand"),
        pytest.param(_noted("80,443", "Nginx%20Full - in"), id="an-applications-profile"),
        pytest.param(_noted(443, "in", "limit tcp"), id="limited"),
        pytest.param(_noted(443, "in", "deny tcp"), id="denied"),
        pytest.param(_noted("440:450", "in", "allow_log tcp"), id="range"),
        pytest.param(_noted(443, "in_eth0", "allow any"), id="on-one-interface"),
        pytest.param(["4 noted allow tcp 443 0.0.0.0/0 any 10.0.0.0/8 in"], id="from-one-network"),
    ],
)
def test_a_port_that_the_hosts_own_rules_name_is_left_to_them(rule: list[str]) -> None:
    """Whoever has limited a port must not find it open to everybody."""
    assert _told_ufw("on", "ipv6", *rule, *_OPEN_8443) == []


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(_noted(443, "in", "allow udp"), id="udp"),
        pytest.param(_noted(443, "out"), id="out"),
        pytest.param(_noted(443, "in", "route:allow tcp"), id="routed"),
        pytest.param(_noted("any", "in", "deny any"), id="any-port"),
        pytest.param(_noted(4430, "in"), id="another-port"),
        pytest.param(["4 noted allow", "6 noted allow tcp 443 in comment=xy"], id="damaged"),
    ],
)
def test_a_rule_about_something_else_is_none_about_the_port(rule: list[str]) -> None:
    assert _told_ufw("on", "ipv6", *rule, *_OPEN_8443) == _ALLOW[:1]


def test_what_a_killed_run_noted_for_one_version_of_ip_is_noted_for_the_other() -> None:
    half = [*_noted(443, only="4"), *_loaded(443, only="4"), *_OPEN_8443]
    assert _told_ufw("on", "ipv6", *half) == _ALLOW[:1]


def test_what_a_killed_run_noted_and_did_not_load_is_loaded() -> None:
    half = [*_noted(443), *_loaded(443, only="4"), *_OPEN_8443]
    assert _told_ufw("on", "ipv6", *half) == ["ufw reload"]


def test_a_ufw_that_somebody_stopped_is_not_started() -> None:
    opened = [*_noted(443), *_noted(8443)]
    assert _told_stopped_ufw("on", "ipv6", *opened) == []


def test_a_stopped_ufw_that_would_close_a_port_at_the_next_boot_stops_the_deploy() -> None:
    """It takes no rule while it does not run, and says so in words that help nobody."""
    with pytest.raises(
        DeployError, match=r"^@fake/host: ufw is enabled and does not run: .* close 8443, and"
    ):
        _told_stopped_ufw("on", "ipv6", *_noted(443))
