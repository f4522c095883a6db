"""The lab's time server, packet by packet."""

import struct
import time

import pytest

from tests.lab.time_server import answer

_HEADER = struct.Struct("!BBbbII4sQQQQ")
_ASKED = 0x1234_5678_9ABC_DEF0


def request(version: int = 4, mode: int = 3) -> bytes:
    return _HEADER.pack(version << 3 | mode, 0, 6, -20, 0, 0, b"", 0, 0, 0, _ASKED)


@pytest.mark.parametrize("version", [3, 4])
def test_a_client_learns_the_time(version: int) -> None:
    now = time.time()
    reply = answer(request(version), now, "10.213.0.1")
    assert reply is not None
    first, stratum, poll, _, delay, dispersion, reference, _, origin, received, sent = (
        _HEADER.unpack(reply)
    )
    assert (first >> 6, first >> 3 & 7, first & 7) == (0, version, 4)
    assert (stratum, poll, delay, reference) == (2, 6, 0, bytes([10, 213, 0, 1]))
    assert 0 < dispersion / 65536 < 0.01
    assert origin == _ASKED
    assert received / 2**32 - 2_208_988_800 == pytest.approx(now, abs=1e-5)
    assert received <= sent


@pytest.mark.parametrize(
    "packet",
    [b"", request()[:-1], request(mode=4), request(mode=5), request(mode=6), request(version=2)],
    ids=["empty", "short", "an-answer", "a-broadcast", "control", "version-2"],
)
def test_what_is_no_request_gets_no_answer(packet: bytes) -> None:
    """An answer to an answer would go back and forth between two servers for ever."""
    assert answer(packet, time.time(), "10.213.0.1") is None
