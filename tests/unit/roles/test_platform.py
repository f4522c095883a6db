"""roles.platform: what is supported, and the refusal of everything else by its name."""

from __future__ import annotations

import pytest

from roles.facts import HostSystem
from roles.platform import (
    PYTHONS,
    Platform,
    Python,
    UnsupportedPlatformError,
    identify,
    parse_os_release,
)
from tests.unit.roles.fakehost import OS_RELEASES, SYSTEM_PYTHONS

SUPPORTED = (
    "supported are: Debian 12, Ubuntu 22.04, Ubuntu 24.04, RHEL, Rocky, Alma or CentOS Stream 9"
)


@pytest.mark.parametrize("platform", Platform)
def test_each_supported_system_is_known_by_its_os_release(platform: Platform) -> None:
    own = SYSTEM_PYTHONS[platform]
    target = identify(parse_os_release(OS_RELEASES[platform]), "x86_64", {own}, own)
    assert target.platform is platform


@pytest.mark.parametrize("identifier", ["rhel", "rocky", "almalinux", "centos", "ol"])
@pytest.mark.parametrize("version", ["9", "9.0", "9.6"])
def test_each_build_of_el_9_is_el_9(identifier: str, version: str) -> None:
    os_release = {"ID": identifier, "VERSION_ID": version}
    assert identify(os_release, "aarch64", set(), None).platform is Platform.EL_9


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
        identify(os_release, "x86_64", {"3.11"}, "3.11")
    assert str(refused.value) == f"{name} is not supported; {SUPPORTED}"


@pytest.mark.parametrize(("os_release", "name"), [({}, "an unknown system"), ({"ID": "x"}, "x")])
def test_a_system_that_does_not_name_itself_is_refused(
    os_release: dict[str, str], name: str
) -> None:
    with pytest.raises(UnsupportedPlatformError, match=f"^{name} is not supported"):
        identify(os_release, "x86_64", set(), None)


def test_another_architecture_is_refused() -> None:
    os_release = parse_os_release(OS_RELEASES[Platform.DEBIAN_12])
    with pytest.raises(UnsupportedPlatformError, match=r"on riscv64 is not supported; .*aarch64"):
        identify(os_release, "riscv64", {"3.11"}, "3.11")


@pytest.mark.parametrize(
    ("platform", "own", "version", "package"),
    [
        (Platform.DEBIAN_12, "3.11", "3.11", "python3"),
        (Platform.UBUNTU_22_04, "3.10", "3.10", "python3"),
        # Somebody made it another, or this is a layout of Ubuntu on Debian's packages.
        (Platform.UBUNTU_22_04, "3.11", "3.11", "python3"),
        (Platform.UBUNTU_22_04, "3.13", "3.13", "python3"),
        (Platform.UBUNTU_24_04, "3.12", "3.12", "python3"),
        # A minimal image has none, and gets the platform's.
        (Platform.DEBIAN_12, None, "3.11", "python3"),
        (Platform.UBUNTU_22_04, None, "3.10", "python3"),
        (Platform.UBUNTU_24_04, None, "3.12", "python3"),
        (Platform.EL_9, None, "3.11", "python3.11"),
        # EL 9's own is 3.9, and stays what dnf runs with.
        (Platform.EL_9, "3.9", "3.11", "python3.11"),
        (Platform.EL_9, "3.12", "3.12", "python3.12"),
        (Platform.EL_9, "3.14", "3.11", "python3.11"),
    ],
)
def test_the_server_runs_with_the_hosts_own_python_or_else_with_the_platforms(
    platform: Platform, own: str | None, version: str, package: str
) -> None:
    os_release = parse_os_release(OS_RELEASES[platform])
    python = identify(os_release, "x86_64", {own} if own else set(), own).python
    assert python == Python(version, package)
    assert python.path == f"/usr/bin/python{version}"


@pytest.mark.parametrize("own", ["3.9", "3.14", None])
def test_an_unsupported_python3_does_no_harm_beside_the_platforms(own: str | None) -> None:
    os_release = parse_os_release(OS_RELEASES[Platform.UBUNTU_22_04])
    target = identify(os_release, "x86_64", {"3.9", "3.10", "3.14"}, own)
    assert target.python == PYTHONS[Platform.UBUNTU_22_04]


@pytest.mark.parametrize("own", ["3.9", None])
def test_a_host_with_unsupported_pythons_alone_is_refused(own: str | None) -> None:
    """Its python3 is there already, so the package would bring none that the server runs with."""
    os_release = parse_os_release(OS_RELEASES[Platform.UBUNTU_22_04])
    with pytest.raises(
        UnsupportedPlatformError,
        match=r"has Python 3\.8, 3\.9; the server needs /usr/bin/python3\.10, or .*3\.10 to 3\.13$",
    ):
        identify(os_release, "x86_64", {"3.9", "3.8"}, own)


@pytest.mark.parametrize(
    ("link", "own"),
    [
        ("/usr/bin/python3.10", "3.10"),
        ("/usr/bin/python3.9", "3.9"),
        ("/opt/python/bin/python3.12", None),  # not the host's package manager's
        ("/usr/bin/python3", None),  # nothing is there
        ("", None),
    ],
)
def test_the_fact_tells_where_python3_leads(link: str, own: str | None) -> None:
    lines = ["x86_64", "/usr/bin/python3.9", "/usr/bin/python3.10", f"own {link}", "--", "ID=x"]
    system = HostSystem().process(lines)
    assert (system.own_python, system.pythons) == (own, {"3.9", "3.10"})


def test_os_release_is_read_as_its_manual_says() -> None:
    text = '# ID=no\nID=debian\nVERSION_ID="12"\nNAME=\'Debian\'\n\nHOME_URL="https://a/?b=c"\n'
    assert parse_os_release(text) == {
        "ID": "debian",
        "VERSION_ID": "12",
        "NAME": "Debian",
        "HOME_URL": "https://a/?b=c",
    }
