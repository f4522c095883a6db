"""What differs of nginx by platform; its unit and its files are the same everywhere."""

from dataclasses import dataclass

from roles.platform import Platform


@dataclass(frozen=True)
class Layout:
    """`user` may connect to the server's socket, and nobody else.

    `http2_field_size`: nginx before 1.19.7 has limits of their own for HTTP/2's header fields.
    """

    user: str
    http2_field_size: bool = False


_DEBIAN = Layout(user="www-data")

LAYOUTS = {
    Platform.DEBIAN_12: _DEBIAN,
    Platform.UBUNTU_22_04: Layout(user="www-data", http2_field_size=True),
    Platform.UBUNTU_24_04: _DEBIAN,
    Platform.EL_9: Layout(user="nginx"),
}
