"""The chrony role on every platform."""

from __future__ import annotations

import re
from typing import Any

import pytest

from roles.chrony.tasks import chrony
from roles.hostdata.services import ChronyData
from roles.platform import Platform
from tests.unit.roles.fakehost import FakeHost

DATA = ChronyData(servers=("time.example.org", "192.0.2.1", "2001:db8::1"))
PLATFORMS = [
    (Platform.DEBIAN_12, "/etc/chrony/chrony.conf", "chrony.service", 'DAEMON_OPTS="-F 1'),
    (Platform.UBUNTU_22_04, "/etc/chrony/chrony.conf", "chrony.service", 'DAEMON_OPTS="-F 1'),
    (Platform.UBUNTU_24_04, "/etc/chrony/chrony.conf", "chrony.service", 'DAEMON_OPTS="-F 1'),
    (Platform.EL_9, "/etc/chrony.conf", "chronyd.service", 'OPTIONS="-F 2'),
]


@pytest.mark.parametrize(("platform", "path", "unit", "_options"), PLATFORMS)
def test_each_source_is_asked_from_the_start(
    platform: Platform, path: str, unit: str, _options: str
) -> None:
    fake = FakeHost(platform)
    fake.run(chrony, DATA, platform, True)
    lines = fake.files[path].content.splitlines()
    assert [line for line in lines if line.startswith("server ")] == [
        "server time.example.org iburst",
        "server 192.0.2.1 iburst",
        "server 2001:db8::1 iburst",
    ]
    assert {"makestep 1.0 3", "rtcsync", "port 0"} <= set(lines)
    assert 'chronyd -p -f "$candidate"' in fake.files[path].script
    assert fake.units == {unit: ["restart"], "oauth-clock.service": ["restart"]}


@pytest.mark.parametrize(("count", "agreement"), [(1, False), (2, False), (3, True), (4, True)])
def test_one_of_many_sources_cannot_move_the_clock(count: int, agreement: bool) -> None:
    """With one or two, asking for two that agree would leave the clock alone for good."""
    fake = FakeHost(Platform.DEBIAN_12)
    servers = tuple(f"192.0.2.{n}" for n in range(count))
    fake.run(chrony, ChronyData(servers=servers), fake.platform, False)
    assert ("minsources 2" in fake.files["/etc/chrony/chrony.conf"].content) is agreement


@pytest.mark.parametrize(("platform", "_path", "unit", "options"), PLATFORMS)
@pytest.mark.parametrize("steer", [True, False])
def test_a_container_gets_a_chronyd_that_leaves_the_clock_alone(
    platform: Platform, _path: str, unit: str, options: str, steer: bool
) -> None:
    fake = FakeHost(platform)
    fake.run(chrony, ChronyData(servers=("192.0.2.1",), steer_clock=steer), platform, False)
    (defaults,) = [f for p, f in fake.files.items() if "default/" in p or "sysconfig/" in p]
    assert f'{options}{"" if steer else " -x"}"\n' in defaults.content
    drop_in = fake.files[f"/etc/systemd/system/{unit}.d/portcullis.conf"].content.splitlines()
    conditions = [line for line in drop_in if line.startswith("ConditionCapability=")]
    wanted = ["ConditionCapability=", "ConditionCapability=CAP_SYS_TIME"]
    assert conditions == (wanted if steer else wanted[:1])


@pytest.mark.parametrize("platform", Platform)
def test_other_sources_restart_it_once(platform: Platform) -> None:
    fake = FakeHost(platform)
    fake.run(chrony, DATA, platform, True)
    fake.run(chrony, ChronyData(servers=("192.0.2.9",)), platform, True)
    fake.run(chrony, ChronyData(servers=("192.0.2.9",)), platform, True)
    assert list(fake.units.values()) == [["restart", "restart"], ["restart"]]


def test_a_source_by_nts_is_preferred_to_those_that_prove_nothing() -> None:
    fake = FakeHost(Platform.DEBIAN_12)
    data = ChronyData(servers=("a.example", "b.example"), nts=("b.example",), nts_ca="/etc/ca.pem")
    fake.run(chrony, data, fake.platform, False)
    lines = fake.files["/etc/chrony/chrony.conf"].content.splitlines()
    assert {
        "server a.example iburst",
        "server b.example iburst nts",
        "ntsdumpdir /var/lib/chrony",
        "authselectmode prefer",
        "ntstrustedcerts /etc/ca.pem",
    } <= set(lines)


def test_without_nts_nothing_is_said_of_it() -> None:
    fake = FakeHost(Platform.DEBIAN_12)
    fake.run(chrony, DATA, fake.platform, False)
    content = fake.files["/etc/chrony/chrony.conf"].content
    assert not re.search("nts|auth", content)


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (
            {"servers": ("a.example",), "nts": ("b.example",)},
            "nts: b.example must be among servers",
        ),
        ({"servers": ("a.example",), "nts_ca": "/ca.pem"}, "nts_ca is for nts"),
    ],
)
def test_nts_is_for_servers_that_are_named(given: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        ChronyData(**given)


@pytest.mark.parametrize(
    ("platform", "account"),
    [
        (Platform.DEBIAN_12, "_chrony"),
        (Platform.UBUNTU_22_04, "_chrony"),
        (Platform.EL_9, "chrony"),
    ],
)
def test_the_clock_is_told_of_by_chronys_own_account(platform: Platform, account: str) -> None:
    """Its socket can set the clock, and is for nobody else."""
    fake = FakeHost(platform)
    fake.run(chrony, DATA, platform, True)
    unit = fake.files["/etc/systemd/system/oauth-clock.service"].content.splitlines()
    assert f"User={account}" in unit
    assert "CapabilityBoundingSet=" in unit


def test_where_no_server_is_nobody_is_told() -> None:
    fake = FakeHost(Platform.DEBIAN_12)
    fake.run(chrony, DATA, fake.platform, False)
    assert "/etc/systemd/system/oauth-clock.service" not in fake.files
