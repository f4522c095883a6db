"""What Redis' unit is called, by platform; its files are at the same places everywhere."""

from dataclasses import dataclass

from roles.platform import Platform


@dataclass(frozen=True)
class Layout:
    """`service` is the distribution's unit; `confined` if it comes with a sandbox of its own."""

    service: str
    confined: bool = True


_DEBIAN = Layout(service="redis-server.service")

LAYOUTS = {
    Platform.DEBIAN_12: _DEBIAN,
    Platform.UBUNTU_22_04: _DEBIAN,
    Platform.UBUNTU_24_04: _DEBIAN,
    Platform.EL_9: Layout(service="redis.service", confined=False),
}
