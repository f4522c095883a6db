"""The sysctl role on hosts that are stricter than ours, or whose conntrack is the machine's."""

from __future__ import annotations

import pytest

from roles.platform import Platform
from roles.sysctl.settings import SETTINGS
from tests.unit.roles.fakehost import FakeHost
from tests.unit.roles.test_sysctl import DROP_IN, deploy, host, kernel, persisted

RULE = "/etc/udev/rules.d/99-portcullis-conntrack.rules"


def with_drop_in(live: dict[str, str], text: str) -> FakeHost:
    fake = host(Platform.DEBIAN_12, live)
    fake.responses = {**fake.responses, f"cat {DROP_IN}": text.splitlines()}
    return fake


@pytest.mark.parametrize(
    ("end", "key", "own"),
    [
        ("somaxconn", "net.core.somaxconn", 65535),
        ("tcp_max_syn_backlog", "net.ipv4.tcp_max_syn_backlog", 8192),
        ("tcp_synack_retries", "net.ipv4.tcp_synack_retries", 2),
        ("nf_conntrack_max", "net.netfilter.nf_conntrack_max", 1048576),
    ],
)
def test_a_stricter_value_of_the_host_stays_live_and_after_a_boot(
    end: str, key: str, own: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    fake = host(Platform.DEBIAN_12, kernel(**{end: own}))
    run = deploy(fake)
    assert not [name for name in run.changed if "Apply" in name]
    assert persisted(fake)[key] == str(own)
    assert f"{key} = {own}: kept: the host's own value is stricter than" in caplog.text


@pytest.mark.parametrize(
    ("end", "looser", "ours"),
    [
        ("somaxconn", 128, 4096),
        ("tcp_synack_retries", 5, 3),
        ("nf_conntrack_max", 65536, 262144),
    ],
)
def test_a_looser_value_does_not_stay(end: str, looser: int, ours: int) -> None:
    fake = host(Platform.DEBIAN_12, kernel(**{end: looser}))
    assert f"{end}={ours}" in deploy(fake).text()


def test_an_interface_that_takes_no_routing_header_at_all_stays_so() -> None:
    """Under its own name, which wins over the `*`."""
    live = kernel() | {"/proc/sys/net/ipv6/conf/eth0.100/accept_source_route": "-1"}
    fake = host(Platform.DEBIAN_12, live)
    assert not [name for name in deploy(fake).changed if "Apply" in name]
    assert persisted(fake)["net/ipv6/conf/eth0.100/accept_source_route"] == "-1"
    assert persisted(fake)["net.ipv6.conf.*.accept_source_route"] == "0"


def test_a_kept_value_is_kept_again() -> None:
    live = kernel(somaxconn=65535)
    fake = host(Platform.DEBIAN_12, live)
    deploy(fake)
    written = fake.files[DROP_IN].content
    again = with_drop_in(live, written)
    again.files = fake.files
    assert deploy(again).changed == []


def test_what_the_inventory_asked_for_earlier_is_no_value_of_the_host() -> None:
    live = kernel(somaxconn=8192)
    fake = host(Platform.DEBIAN_12, live)
    deploy(fake, net__core__somaxconn=8192)
    later = with_drop_in(live, fake.files[DROP_IN].content)
    assert "net/core/somaxconn=4096" in deploy(later).text()


def test_the_inventory_may_ask_for_less_than_the_host_has() -> None:
    fake = host(Platform.DEBIAN_12, kernel(somaxconn=65535))
    assert "net/core/somaxconn=8192" in deploy(fake, net__core__somaxconn=8192).text()


def test_what_has_a_strictest_value_names_no_side() -> None:
    """A switch of ours is on its strict side already."""
    assert {setting.value for setting in SETTINGS if setting.stricter == "above"}.isdisjoint({0, 1})


def test_conntrack_that_is_not_the_hosts_is_left_alone_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Even where the file could be written: it would be the machine's."""
    caplog.set_level("INFO")
    fake = host(Platform.DEBIAN_12, kernel(nf_conntrack_max=1024))
    fake.responses = {**fake.responses, "systemd-detect-virt": []}
    run = deploy(fake)
    assert "nf_conntrack" not in run.text()
    assert not [key for key in persisted(fake) if "nf_conntrack" in key]
    assert "# net.netfilter.nf_conntrack_max = 262144" in fake.files[DROP_IN].content
    assert "conntrack's sizes are skipped" in caplog.text
    assert RULE not in fake.files


def test_conntrack_that_is_loaded_later_finds_its_sizes() -> None:
    """A firewall loads the module after sysctl.d is read, and after this role has run."""
    live = {path: value for path, value in kernel().items() if "/netfilter/" not in path}
    fake = host(Platform.DEBIAN_12, live)
    assert not [name for name in deploy(fake).changed if "Apply" in name]
    before = fake.files[DROP_IN].content
    assert "\nnet.netfilter.nf_conntrack_max = 262144\n" in before
    assert "--prefix=/net/netfilter" in fake.files[RULE].content
    fake.responses = with_drop_in(kernel(), before).responses
    assert deploy(fake).changed == []
