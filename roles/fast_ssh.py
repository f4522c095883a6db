"""SSH without Nagle's delay: an inventory sets `ssh_paramiko_connect_kwargs` to CONNECT_KWARGS."""

import socket
from typing import Any

from paramiko import Transport


def low_latency_transport(sock: Any, **options: Any) -> Transport:
    """Send each small request at once: paramiko leaves TCP_NODELAY off, some 40 ms a command.

    A connection through a bastion is one of its channels, or a program's pipe, and stays as it is.
    """
    if isinstance(sock, socket.socket) and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Transport(sock, **options)


CONNECT_KWARGS = {"transport_factory": low_latency_transport}
