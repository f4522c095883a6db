from __future__ import annotations

import pytest

from oauth_server.keys.pkcs11.frames import FramingError, Kind, Reader, frame

FRAMES = [(Kind.CONTENT, b"a.b"), (Kind.CONTENT, b""), (Kind.SIGNATURE, b"x" * 70000)]


@pytest.mark.parametrize("size", [1, 3, 7, 100_000])
def test_frames_come_whole_and_in_order_however_they_are_cut(size: int) -> None:
    sent = b"".join(frame(kind, content) for kind, content in FRAMES)
    reader = Reader()
    found = [
        one
        for start in range(0, len(sent), size)
        for one in reader.feed(sent[start : start + size])
    ]
    assert found == FRAMES


@pytest.mark.parametrize("junk", [b"HTTP/1.1 200 OK", b"\x00\x00\x00\x01\x63x"])
def test_what_is_no_frame_is_refused(junk: bytes) -> None:
    with pytest.raises(FramingError):
        list(Reader().feed(junk))
