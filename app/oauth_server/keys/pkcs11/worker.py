"""A process that holds one session on a token and does one task there, or signs until its end.

It is told everything over the socket that is its standard input, the PIN too, and ends with it.
"""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any

from oauth_server.keys.pkcs11 import failures
from oauth_server.keys.pkcs11.failures import TokenError
from oauth_server.keys.pkcs11.frames import FramingError, Kind, Reader, frame

_RECEIVE = 1 << 16
_MOMENT = 0.001  # seconds that quick signatures may wait for each other, to go together


class _Channel:
    def __init__(self) -> None:
        self._socket = socket.socket(fileno=0)
        self._reader = Reader()

    def receive(self) -> Sequence[tuple[Kind, bytes]]:
        """What has come, at least one frame; none at the end. Raises OSError, FramingError."""
        while received := self._socket.recv(_RECEIVE):
            if frames := list(self._reader.feed(received)):
                return frames
        return ()

    def send(self, *frames: bytes) -> None:
        self._socket.sendall(b"".join(frames))


def main() -> None:
    # systemd stops all processes of a unit at once, and the server still has answers to sign.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _work(_Channel())
    except (OSError, FramingError):
        return  # whoever started this process is gone


def _work(channel: _Channel) -> None:
    frames = channel.receive()
    if not frames:
        return
    task = json.loads(frames[0][1])
    try:
        _do(task, channel)
    except TokenError as error:
        said = {"reason": error.reason, "detail": str(error)}
        channel.send(frame(Kind.FAILED, json.dumps(said).encode()))


def _do(task: dict[str, Any], channel: _Channel) -> None:
    """Raises TokenError."""
    try:
        from oauth_server.keys.pkcs11.token import Token, told
    except ImportError as error:
        raise TokenError(
            failures.UNSUPPORTED, f"this installation has no library for tokens ({error.name})"
        ) from None
    name, key_id, algorithm = task["do"], bytes.fromhex(task["id"]), task["algorithm"]
    token = Token(task["module"], task["token"], task.pop("pin"), write=name != "sign")
    done: dict[str, str] = {}
    if name == "sign":
        sign = token.signing(key_id, algorithm)
        with told():
            done = {"trial": sign(task["trial"].encode()).hex()}
    elif name == "generate":
        done = token.generate(key_id, algorithm)
    elif name == "public":
        done = token.public(key_id)
    else:
        token.destroy(key_id)
    channel.send(frame(Kind.DONE, json.dumps(done).encode()))
    if name != "sign":
        return
    while contents := channel.receive():
        made, since = [], time.monotonic()
        for _, content in contents:
            with told():
                made.append(frame(Kind.SIGNATURE, sign(content)))
            if time.monotonic() - since > _MOMENT:
                channel.send(*made)
                made, since = [], time.monotonic()
        if made:
            channel.send(*made)
