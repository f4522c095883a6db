"""What a host needs before any role: packages, by platform."""

from roles.platform import Platform
from roles.topology import Place

# What minimal images lack.
_DEBIAN = (
    "ca-certificates",
    "chrony",
    "fail2ban",
    "iproute2",
    "logrotate",
    "nftables",
    "nginx",
    "openssl",  # proves on the host that a key and its certificate are one pair
    "procps",
    "python3",
    "python3-systemd",  # without it fail2ban's systemd backend stops the whole daemon
    "redis-server",
)
_EL = (
    "ca-certificates",
    "chrony",
    "fail2ban-server",
    "fail2ban-systemd",
    "iproute",
    "logrotate",
    "nftables",
    "nginx",
    "openssl",
    "procps-ng",
    "redis",
    "tar",  # essential on Debian alone
)

PACKAGES = {
    Platform.DEBIAN_12: _DEBIAN,
    Platform.UBUNTU_22_04: _DEBIAN,
    Platform.UBUNTU_24_04: _DEBIAN,
    Platform.EL_9: _EL,
}


def unneeded(place: Place) -> frozenset[str]:
    """What serves other hosts of the fleet: installed, it would run with its own defaults."""
    packages: list[str] = []
    if not place.is_gateway:
        packages += ["nginx"]
    if not place.is_state:
        packages += ["redis", "redis-server"]
    if not place.is_server and not place.is_gateway:
        packages += ["fail2ban", "fail2ban-server", "fail2ban-systemd"]
    return frozenset(packages)
