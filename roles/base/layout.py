"""What a host needs before any role: packages, by platform."""

from roles.platform import Platform

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
