"""What goes over the socket between a signing process and who started it: frames, in order.

A frame is its length (four bytes, big-endian), its kind (one byte) and that many bytes of content.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

_HEAD = struct.Struct(">IB")
_MOST = 1 << 20


class Kind(IntEnum):
    TASK = 0  # JSON: what to do, on which token
    DONE = 1  # JSON: what came of it
    FAILED = 2  # JSON: reason and detail
    CONTENT = 3  # what to sign
    SIGNATURE = 4


class FramingError(Exception):
    """The other side speaks something else."""


def frame(kind: Kind, content: bytes) -> bytes:
    return _HEAD.pack(len(content), kind) + content


class Reader:
    """Takes bytes as they come, gives frames that are whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> Iterator[tuple[Kind, bytes]]:
        """Raises FramingError."""
        self._buffer += received
        while len(self._buffer) >= _HEAD.size:
            length, kind = _HEAD.unpack_from(self._buffer)
            if length > _MOST or kind not in Kind._value2member_map_:
                raise FramingError
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            content = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            yield Kind(kind), content
