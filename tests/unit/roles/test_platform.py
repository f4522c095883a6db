"""roles.platform: what is supported, and the refusal of everything else by its name."""

from __future__ import annotations

import pytest

from roles.platform import Platform, UnsupportedPlatformError, identify, parse_os_release
from tests.unit.roles.fakehost import OS_RELEASES, SYSTEM_PYTHONS

SUPPORTED = (
    "supported are: Debian 12, Ubuntu 22.04, Ubuntu 24.04, RHEL, Rocky, Alma or CentOS Stream 9"
)


@pytest.mark.parametrize("platform", Platform)
def test_each_supported_system_is_known_by_its_os_release(platform: Platform) -> None:
    target = identify(parse_os_release(OS_RELEASES[platform]), "x86_64", {SYSTEM_PYTHONS[platform]})
    assert target.platform is platform


@pytest.mark.parametrize("identifier", ["rhel", "rocky", "almalinux", "centos", "ol"])
@pytest.mark.parametrize("version", ["9", "9.0", "9.6"])
def test_each_build_of_el_9_is_el_9(identifier: str, version: str) -> None:
    os_release = {"ID": identifier, "VERSION_ID": version}
    assert identify(os_release, "aarch64", set()).platform is Platform.EL_9


@pytest.mark.parametrize(
    ("identifier", "version", "name"),
    [
        ("rocky", "8.10", "Rocky Linux 8.10 (Green Obsidian)"),
        ("rhel", "8", "Red Hat Enterprise Linux 8.10 (Ootpa)"),
        ("rhel", "10.0", "Red Hat Enterprise Linux 10.0 (Coughlan)"),
        ("rocky", "90", "Rocky Linux 90"),
        ("debian", "11", "Debian GNU/Linux 11 (bullseye)"),
        ("debian", "13", "Debian GNU/Linux 13 (trixie)"),
        ("ubuntu", "20.04", "Ubuntu 20.04.6 LTS"),
        ("alpine", "3.20.3", "Alpine Linux v3.20"),
        ("fedora", "9", "Fedora Linux 9"),
    ],
)
def test_any_other_system_is_refused_by_name_with_what_is_supported(
    identifier: str, version: str, name: str
) -> None:
    os_release = {"ID": identifier, "VERSION_ID": version, "PRETTY_NAME": name}
    with pytest.raises(UnsupportedPlatformError) as refused:
        identify(os_release, "x86_64", {"3.11"})
    assert str(refused.value) == f"{name} is not supported; {SUPPORTED}"


@pytest.mark.parametrize(("os_release", "name"), [({}, "an unknown system"), ({"ID": "x"}, "x")])
def test_a_system_that_does_not_name_itself_is_refused(
    os_release: dict[str, str], name: str
) -> None:
    with pytest.raises(UnsupportedPlatformError, match=f"^{name} is not supported"):
        identify(os_release, "x86_64", set())


def test_another_architecture_is_refused() -> None:
    os_release = parse_os_release(OS_RELEASES[Platform.DEBIAN_12])
    with pytest.raises(UnsupportedPlatformError, match=r"on riscv64 is not supported; .*aarch64"):
        identify(os_release, "riscv64", {"3.11"})


def test_a_host_without_its_own_python_is_refused() -> None:
    """Somebody replaced it: what the release was built for would not load."""
    os_release = parse_os_release(OS_RELEASES[Platform.UBUNTU_22_04])
    with pytest.raises(
        UnsupportedPlatformError, match=r"has Python 3\.8, 3\.9 but not its own 3\.10"
    ):
        identify(os_release, "x86_64", {"3.9", "3.8"})


def test_a_host_without_any_python_gets_one() -> None:
    os_release = parse_os_release(OS_RELEASES[Platform.DEBIAN_12])
    assert identify(os_release, "x86_64", set()).python.version == "3.11"


def test_el_9_gets_a_python_beside_its_own() -> None:
    os_release = parse_os_release(OS_RELEASES[Platform.EL_9])
    python = identify(os_release, "x86_64", {"3.9"}).python
    assert (python.package, python.path) == ("python3.11", "/usr/bin/python3.11")


def test_os_release_is_read_as_its_manual_says() -> None:
    text = '# ID=no\nID=debian\nVERSION_ID="12"\nNAME=\'Debian\'\n\nHOME_URL="https://a/?b=c"\n'
    assert parse_os_release(text) == {
        "ID": "debian",
        "VERSION_ID": "12",
        "NAME": "Debian",
        "HOME_URL": "https://a/?b=c",
    }
