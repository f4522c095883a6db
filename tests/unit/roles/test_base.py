"""Packages by the platform's own manager, the account, and the directories."""

from __future__ import annotations

import pytest

from roles.base.layout import PACKAGES
from roles.base.tasks import base
from roles.platform import Platform
from roles.topology import Place
from tests.unit.roles.fakehost import FakeHost


@pytest.mark.parametrize(
    ("platform", "manager", "packages"),
    [
        (Platform.DEBIAN_12, "apt-get", {"redis-server", "python3", "python3-systemd"}),
        (Platform.UBUNTU_22_04, "apt-get", {"redis-server", "python3", "python3-systemd"}),
        (Platform.UBUNTU_24_04, "apt-get", {"redis-server", "python3", "python3-systemd"}),
        (Platform.EL_9, "dnf", {"redis", "python3.11", "fail2ban-systemd"}),
    ],
)
def test_packages_come_from_the_platforms_manager_in_one_transaction(
    platform: Platform, manager: str, packages: set[str]
) -> None:
    absent = [f"no package provides {name}" for name in PACKAGES[Platform.EL_9] + ("python3.11",)]
    host = FakeHost(platform, responses={"rpm -q": absent})
    commands = [c.text for c in host.run(base, host.target, Place("here")).commands]
    installs = [c.split() for c in commands if manager in c and " install " in c]
    assert packages | {"nginx", "chrony"} <= set(installs[-1])
    assert not [c for c in commands if ("dnf" if manager == "apt-get" else "apt-get") in c]


def test_packages_are_fetched_only_when_something_is_missing() -> None:
    installed = [f"installed {name}" for name in PACKAGES[Platform.DEBIAN_12]]
    for answer, wanted in ((installed[1:], True), (installed, False)):
        host = FakeHost(Platform.DEBIAN_12, responses={"dpkg-query -W": answer})
        commands = host.run(base, host.target, Place("here")).text()
        assert ("--download-only" in commands, "force-confold" in commands) == (wanted, wanted)


def test_an_interrupted_dpkg_is_finished_before_apt_is_asked_for_anything() -> None:
    host = FakeHost(Platform.DEBIAN_12, responses={"dpkg-query -W": ["half-configured nginx"]})
    changed = host.run(base, host.target, Place("here")).changed
    assert "Finish what an interrupted dpkg began" in changed[0]
    whole = FakeHost(Platform.DEBIAN_12)
    assert "Finish" not in whole.run(base, whole.target, Place("here")).changed[0]


@pytest.mark.parametrize("platform", Platform)
def test_directories_belong_to_those_who_may_write_them(platform: Platform) -> None:
    host = FakeHost(platform)
    text = host.run(base, host.target, Place("here")).text()
    for path, owner, mode in (
        ("/etc/oauth2", "root:oauth_group", "00750"),
        ("/var/lib/oauth-server", "oauth_user:oauth_group", "00750"),
    ):
        script = next(part for part in text.split("set -eu\n") if f"path={path}\n" in part)
        assert f'chown {owner} "$path"\nchmod {mode} "$path"' in script
