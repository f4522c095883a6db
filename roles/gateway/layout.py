"""As whom nginx works, by platform; its unit and its files are the same everywhere."""

from dataclasses import dataclass

from roles.platform import Platform


@dataclass(frozen=True)
class Layout:
    """`user` may connect to the server's socket, and nobody else."""

    user: str


_DEBIAN = Layout(user="www-data")

LAYOUTS = {
    Platform.DEBIAN_12: _DEBIAN,
    Platform.UBUNTU_22_04: _DEBIAN,
    Platform.UBUNTU_24_04: _DEBIAN,
    Platform.EL_9: Layout(user="nginx"),
}
