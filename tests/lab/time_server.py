"""The lab's time server: hosts have no route out, and tell the time by the machine's clock.

It answers as a server whose clock is right (RFC 5905 §7.3, RFC 4330 §6), and steers nothing: a lab
host leaves its clock, which is the machine's, alone.
"""

import socket
import struct
import sys
import time

PORT = 123

_EPOCH = 2_208_988_800  # seconds from 1900, NTP's, to 1970
_CLIENT, _SERVER = 3, 4
_PRECISION = -20  # of a clock that is read in about a microsecond
_ROOT_DISPERSION = 1 << 6  # in 1/65536 s: about a millisecond
_HEADER = struct.Struct("!BBbbII4sQQQQ")


def answer(request: bytes, received: float, address: str) -> bytes | None:
    """The reply to a client's packet that came at `received`; None for what is no request."""
    if len(request) < _HEADER.size:
        return None
    first, _, poll, *_, transmitted = _HEADER.unpack_from(request)
    version, mode = first >> 3 & 7, first & 7
    if mode != _CLIENT or version not in (3, 4):
        return None
    return _HEADER.pack(
        version << 3 | _SERVER,
        2,  # stratum: its clock is not a reference itself
        poll,
        _PRECISION,
        0,
        _ROOT_DISPERSION,
        socket.inet_aton(address),
        _stamp(received),
        transmitted,  # the client's own, by which it knows its question
        _stamp(received),
        _stamp(time.time()),
    )


def _stamp(seconds: float) -> int:
    """A time of 1970's clock as NTP's: seconds and their 2^32nds."""
    return int((seconds + _EPOCH) * (1 << 32)) & (1 << 64) - 1


def serve(address: str, port: int = PORT) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind((address, port))
        while True:
            request, client = bound.recvfrom(1024)
            reply = answer(request, time.time(), address)
            if reply is not None:
                try:
                    bound.sendto(reply, client)
                except OSError as error:  # a host that is gone is no reason to stop
                    sys.stderr.write(f"{client[0]}: {error}\n")


if __name__ == "__main__":
    serve(sys.argv[1])
