"""Whose user and which unit the server meets on a host, by platform."""

from dataclasses import dataclass

from roles.platform import Platform


@dataclass(frozen=True)
class Layout:
    """`gateway_user` is nginx's: it alone may connect to the server's unix socket."""

    gateway_user: str
    redis_unit: str


_DEBIAN = Layout(gateway_user="www-data", redis_unit="redis-server.service")

LAYOUTS = {
    Platform.DEBIAN_12: _DEBIAN,
    Platform.UBUNTU_22_04: _DEBIAN,
    Platform.UBUNTU_24_04: _DEBIAN,
    Platform.EL_9: Layout(gateway_user="nginx", redis_unit="redis.service"),
}
