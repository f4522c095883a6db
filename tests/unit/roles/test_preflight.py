"""roles.preflight: what is refused before any host is changed."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra import host, inventory
from pyinfra.api.exceptions import PyinfraError

from roles.hostdata.check import HostDataError
from roles.hostdata.host import HostData
from roles.platform import Platform, Target, UnsupportedPlatformError
from roles.preflight import preflight
from roles.topology import Place
from tests.unit.roles.fakehost import OS_RELEASES, FakeHost
from tests.unit.roles.hostdata.inventory import VALID

SYSTEM = "uname -m; for python in"


def checked(fake: FakeHost, data: dict[str, Any]) -> tuple[HostData, Target, Place]:
    found = []
    run = fake.run(lambda: found.append(preflight(inventory, host)), data=data)
    assert run.commands == []
    return found[0]


@pytest.mark.parametrize("platform", Platform)
def test_a_sound_inventory_gives_its_data_and_what_the_host_is(platform: Platform) -> None:
    data, target, place = checked(FakeHost(platform), VALID)
    assert data.oauth_server.issuer == "https://auth.example.org"
    assert (target.platform, target.architecture) == (platform, "x86_64")
    assert place == Place("@fake/host")


def test_a_faulty_inventory_is_refused_with_every_fault_in_a_line() -> None:
    with pytest.raises(HostDataError) as refused:
        checked(FakeHost(Platform.DEBIAN_12), {**VALID, "redsi": {}, "logrotate": {"keep": 0}})
    assert str(refused.value).splitlines() == [
        "the inventory is refused:",
        "@fake/host: logrotate.keep: must be 1 or more",
        "@fake/host: redsi: unknown key; did you mean redis?",
    ]


@pytest.mark.parametrize(
    ("identifier", "version"), [("rocky", "8.10"), ("debian", "11"), ("alpine", "3.20")]
)
def test_an_unsupported_system_is_refused_by_host_and_name(identifier: str, version: str) -> None:
    system = ["x86_64", "--", f"ID={identifier}", f"VERSION_ID={version}", "PRETTY_NAME=Old One"]
    with pytest.raises(
        UnsupportedPlatformError, match=r"^@fake/host: Old One is not supported; supported are: De"
    ):
        checked(FakeHost(Platform.DEBIAN_12, responses={SYSTEM: system}), VALID)


def test_a_host_that_systemd_has_not_booted_is_refused() -> None:
    """A container with a shell as its first process has nothing that could start a service."""
    os_release = OS_RELEASES[Platform.DEBIAN_12].splitlines()
    system = ["x86_64", "/usr/bin/python3.11", "--", *os_release]
    with pytest.raises(UnsupportedPlatformError, match=r"^@fake/host: systemd does not run there"):
        checked(FakeHost(Platform.DEBIAN_12, responses={SYSTEM: system}), VALID)


def test_a_host_that_does_not_say_what_it_is_is_refused() -> None:
    """Without /etc/os-release the command fails."""
    fake = FakeHost(Platform.DEBIAN_12, responses={SYSTEM: {"success": False}})
    with pytest.raises(PyinfraError):
        checked(fake, VALID)


def test_a_proxy_stands_in_the_environment_but_its_password_does_not() -> None:
    """pyinfra exports the variables in every command, and commands can be listed."""
    proxy = "http://proxy.test:3128"
    checked(FakeHost(Platform.DEBIAN_12), {**VALID, "_env": {"http_proxy": proxy}})
    told = {"http_proxy": "http://user:a-secret@proxy.test:3128"}
    with pytest.raises(HostDataError) as refused:
        checked(FakeHost(Platform.DEBIAN_12), {**VALID, "_env": told})
    assert "@fake/host: _env.http_proxy: must hold no password" in str(refused.value)
    assert "a-secret" not in str(refused.value)
