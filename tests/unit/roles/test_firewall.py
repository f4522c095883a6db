"""The host's firewall: opened for what is served, where it runs, and touched nowhere else."""

from __future__ import annotations

from roles.firewall.tasks import firewall
from roles.platform import Platform
from tests.unit.roles.fakehost import FakeHost

_ASKED = "org.fedoraproject.FirewallD1"


def _commands(answers: list[str]) -> list[str]:
    host = FakeHost(Platform.EL_9, responses={_ASKED: answers})
    return [command.text for command in host.run(firewall, host.platform).commands]


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
