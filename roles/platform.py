"""Which systems are supported, and what tells them apart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from roles.errors import DeployError


class Platform(Enum):
    """A supported release of a distribution."""

    DEBIAN_12 = "Debian 12"
    UBUNTU_22_04 = "Ubuntu 22.04"
    UBUNTU_24_04 = "Ubuntu 24.04"
    EL_9 = "RHEL, Rocky, Alma or CentOS Stream 9"

    @property
    def is_el(self) -> bool:
        return self is Platform.EL_9


@dataclass(frozen=True)
class Python:
    """The interpreter that runs the server on a host, and the package that brings it."""

    version: str
    package: str

    @property
    def path(self) -> str:
        return f"/usr/bin/python{self.version}"


PYTHONS = {
    Platform.DEBIAN_12: Python("3.11", "python3"),
    Platform.UBUNTU_22_04: Python("3.10", "python3"),
    Platform.UBUNTU_24_04: Python("3.12", "python3"),
    # EL 9's own python3 is 3.9; the versioned package lives beside it.
    Platform.EL_9: Python("3.11", "python3.11"),
}

ARCHITECTURES = ("x86_64", "aarch64")

_EL_IDS = frozenset({"rhel", "rocky", "almalinux", "centos", "ol"})
_SUPPORTED = ", ".join(platform.value for platform in Platform)


class UnsupportedPlatformError(DeployError):
    """The host's system is not one that this deploy knows."""


@dataclass(frozen=True)
class Target:
    """What a host is, as far as a release and the layouts depend on it."""

    platform: Platform
    architecture: str

    @property
    def python(self) -> Python:
        return PYTHONS[self.platform]


def parse_os_release(text: str) -> dict[str, str]:
    """The assignments of an os-release file (os-release(5)); quotes are taken off."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs if key[:1] != "#"}


def identify(os_release: dict[str, str], architecture: str, pythons: set[str]) -> Target:
    """Name the host's system.

    `pythons` are the versions found as /usr/bin/pythonX.Y. A system whose own python3 is a
    supported one must have it; EL 9 gets its package from the deploy.

    Raises UnsupportedPlatformError with what was found and what is supported.
    """
    platform = _platform(os_release)
    name = os_release.get("PRETTY_NAME") or os_release.get("ID") or "an unknown system"
    if platform is None:
        raise UnsupportedPlatformError(f"{name} is not supported; supported are: {_SUPPORTED}")
    if architecture not in ARCHITECTURES:
        raise UnsupportedPlatformError(
            f"{name} on {architecture} is not supported; supported are: {', '.join(ARCHITECTURES)}"
        )
    target = Target(platform, architecture)
    if pythons and target.python.version not in pythons and not platform.is_el:
        raise UnsupportedPlatformError(
            f"{name} has Python {', '.join(sorted(pythons))} but not its own "
            f"{target.python.version}; the server needs one from 3.10 to 3.13"
        )
    return target


def _platform(os_release: dict[str, str]) -> Platform | None:
    identifier, version = os_release.get("ID", ""), os_release.get("VERSION_ID", "")
    if identifier in _EL_IDS and version.split(".")[0] == "9":
        return Platform.EL_9
    return {
        ("debian", "12"): Platform.DEBIAN_12,
        ("ubuntu", "22.04"): Platform.UBUNTU_22_04,
        ("ubuntu", "24.04"): Platform.UBUNTU_24_04,
    }.get((identifier, version))
