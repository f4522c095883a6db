"""What differs of certbot by platform."""

from dataclasses import dataclass

from roles.platform import Platform

WEBROOT = "/var/www/portcullis-acme"
"""Below /var/www, whose files nginx may read where SELinux is on."""


@dataclass(frozen=True)
class Layout:
    """`unit` renews, and its timer starts it."""

    unit: str


_DEBIAN = Layout(unit="certbot")

LAYOUTS = {
    Platform.DEBIAN_12: _DEBIAN,
    Platform.UBUNTU_22_04: _DEBIAN,
    Platform.UBUNTU_24_04: _DEBIAN,
    Platform.EL_9: Layout(unit="certbot-renew"),
}
