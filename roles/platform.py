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

    @property
    def systemd(self) -> int:
        """The oldest version among the release's minor ones: a unit may say what it knows."""
        return _SYSTEMD[self]


_SYSTEMD = {
    Platform.DEBIAN_12: 252,
    Platform.UBUNTU_22_04: 249,
    Platform.UBUNTU_24_04: 255,
    Platform.EL_9: 250,
}


@dataclass(frozen=True)
class Python:
    """The interpreter that runs the server on a host, and the package that brings it."""

    version: str
    package: str

    @property
    def path(self) -> str:
        return f"/usr/bin/python{self.version}"


# A host's own python3 runs the server if it is one of these; no other has wheels in the lock.
_SUPPORTED_PYTHONS = ("3.10", "3.11", "3.12", "3.13")

# For a host whose own is none of them, or that has none: the deploy installs the package.
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
    python: Python


def parse_os_release(text: str) -> dict[str, str]:
    """The assignments of an os-release file (os-release(5)); quotes are taken off."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs if key[:1] != "#"}


def identify(
    os_release: dict[str, str], architecture: str, pythons: set[str], own_python: str | None
) -> Target:
    """Name the host's system, and the Python for the server there.

    `pythons` are the versions found as /usr/bin/pythonX.Y, and `own_python` is the one that
    /usr/bin/python3 leads to.

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
    python = _python(platform, own_python)
    # Where there is a python3 already, installing the package of that name brings no other.
    if pythons and python.version not in pythons and not platform.is_el:
        raise UnsupportedPlatformError(
            f"{name} has Python {', '.join(sorted(pythons))}; the server needs {python.path}, or "
            "/usr/bin/python3 to be one from 3.10 to 3.13"
        )
    return Target(platform, architecture, python)


def _python(platform: Platform, own: str | None) -> Python:
    """The host's own python3 where the server runs with it, else the platform's package."""
    if own not in _SUPPORTED_PYTHONS:
        return PYTHONS[platform]
    # EL's package python3 is always 3.9; there the link leads to a package with a version.
    return Python(own, f"python{own}" if platform.is_el else "python3")


def _platform(os_release: dict[str, str]) -> Platform | None:
    identifier, version = os_release.get("ID", ""), os_release.get("VERSION_ID", "")
    if identifier in _EL_IDS and version.split(".")[0] == "9":
        return Platform.EL_9
    return {
        ("debian", "12"): Platform.DEBIAN_12,
        ("ubuntu", "22.04"): Platform.UBUNTU_22_04,
        ("ubuntu", "24.04"): Platform.UBUNTU_24_04,
    }.get((identifier, version))
