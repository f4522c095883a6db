"""What systemd hands over and wants to hear: sd_listen_fds(3), sd_notify(3)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from itertools import chain, repeat
from typing import NamedTuple

from oauth_server.errors import OperatorError

_FIRST = 3
_UNNAMED = "unknown"


class Passed(NamedTuple):
    """A listening socket and its FileDescriptorName=, the socket unit's own if it has none."""

    name: str
    socket: socket.socket


def listening_sockets() -> Sequence[Passed]:
    """The sockets that were passed to this process, once; none if it was not activated.

    Raises OperatorError.
    """
    pid = os.environ.pop("LISTEN_PID", "")
    count = os.environ.pop("LISTEN_FDS", "")
    names = os.environ.pop("LISTEN_FDNAMES", "")
    # Another pid: they were meant for a parent of this process.
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    named = chain(names.split(":") if names else (), repeat(_UNNAMED))
    descriptors = range(_FIRST, _FIRST + int(count))
    return [
        Passed(name, _adopt(descriptor))
        for descriptor, name in zip(descriptors, named, strict=False)
    ]


def _adopt(descriptor: int) -> socket.socket:
    try:
        adopted = socket.socket(fileno=descriptor)
    except OSError as error:
        raise OperatorError(
            f"file descriptor {descriptor}, which LISTEN_FDS counts: {error.strerror}"
        ) from None
    if not adopted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        adopted.close()
        raise OperatorError(
            f"file descriptor {descriptor}, which LISTEN_FDS counts: does not listen"
        )
    adopted.set_inheritable(False)
    adopted.setblocking(False)
    return adopted


def notify(state: str) -> None:
    """Tell systemd, if it wants to know."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.connect("\0" + address[1:] if address[0] == "@" else address)
            channel.sendall(state.encode())
        except OSError:
            return  # nobody listens, and the server is none the worse for it


def notify_reloading() -> None:
    """Until the next READY=1. The time is for Type=notify-reload, which compares it."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
