"""The chrony role on every platform."""

from __future__ import annotations

import pytest

from roles.chrony.tasks import chrony
from roles.hostdata import ChronyData
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
    fake.run(chrony, DATA, platform)
    lines = fake.files[path].content.splitlines()
    assert [line for line in lines if line.startswith("server ")] == [
        "server time.example.org iburst",
        "server 192.0.2.1 iburst",
        "server 2001:db8::1 iburst",
    ]
    assert {"makestep 1.0 3", "rtcsync", "port 0"} <= set(lines)
    assert 'chronyd -p -f "$candidate"' in fake.files[path].script
    assert fake.units == {unit: ["restart"]}


@pytest.mark.parametrize(("count", "agreement"), [(1, False), (2, False), (3, True), (4, True)])
def test_one_of_many_sources_cannot_move_the_clock(count: int, agreement: bool) -> None:
    """With one or two, asking for two that agree would leave the clock alone for good."""
    fake = FakeHost(Platform.DEBIAN_12)
    servers = tuple(f"192.0.2.{n}" for n in range(count))
    fake.run(chrony, ChronyData(servers=servers), fake.platform)
    assert ("minsources 2" in fake.files["/etc/chrony/chrony.conf"].content) is agreement


@pytest.mark.parametrize(("platform", "_path", "unit", "options"), PLATFORMS)
@pytest.mark.parametrize("steer", [True, False])
def test_a_container_gets_a_chronyd_that_leaves_the_clock_alone(
    platform: Platform, _path: str, unit: str, options: str, steer: bool
) -> None:
    fake = FakeHost(platform)
    fake.run(chrony, ChronyData(servers=("192.0.2.1",), steer_clock=steer), platform)
    (defaults,) = [f for p, f in fake.files.items() if "default/" in p or "sysconfig/" in p]
    assert f'{options}{"" if steer else " -x"}"\n' in defaults.content
    drop_in = fake.files[f"/etc/systemd/system/{unit}.d/portcullis.conf"].content.splitlines()
    conditions = [line for line in drop_in if line.startswith("ConditionCapability=")]
    wanted = ["ConditionCapability=", "ConditionCapability=CAP_SYS_TIME"]
    assert conditions == (wanted if steer else wanted[:1])


@pytest.mark.parametrize("platform", Platform)
def test_other_sources_restart_it_once(platform: Platform) -> None:
    fake = FakeHost(platform)
    fake.run(chrony, DATA, platform)
    fake.run(chrony, ChronyData(servers=("192.0.2.9",)), platform)
    fake.run(chrony, ChronyData(servers=("192.0.2.9",)), platform)
    assert list(fake.units.values()) == [["restart", "restart"]]
