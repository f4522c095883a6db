"""Starts the processes that call a token's module, and asks one for a single task."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import oauth_server
from oauth_server.keys.pkcs11 import failures
from oauth_server.keys.pkcs11.failures import TokenError
from oauth_server.keys.pkcs11.frames import FramingError, Kind, Reader, frame
from oauth_server.keys.pkcs11.pin import Pin

_START = """\
import sys
sys.path = sys.argv[1:]
from oauth_server.keys.pkcs11.worker import main
main()
"""
# A deploy may switch to another release meanwhile: a process that is started later must be of this.
_CODE = str(Path(oauth_server.__file__).resolve().parents[1])
# What systemd means for the server alone.
_SYSTEMDS = {"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_USEC"}
_RECEIVE = 1 << 16

TRIAL = b"trial"
"""What a process that signs signs first: whether it is the right key shows there."""


@dataclass(frozen=True)
class Access:
    """How to get to a token: `module` is its library's path, `pin` reads the PIN.

    `environment` has variables that the module reads.
    """

    module: str
    token: str
    pin: Pin = field(repr=False, compare=False)
    environment: Mapping[str, str] = field(default_factory=dict)

    def task(self, name: str, key_id: bytes, algorithm: str, pin: str) -> bytes:
        """The frame that tells a process what to do: sign, generate, public, destroy."""
        said = {
            "do": name, "id": key_id.hex(), "algorithm": algorithm,
            "module": self.module, "token": self.token, "pin": pin, "trial": TRIAL.decode(),
        }  # fmt: skip
        return frame(Kind.TASK, json.dumps(said).encode())


def start(access: Access) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A process, and our end of its socket, which must be closed. Raises OSError."""
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, _CODE, *sys.path],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,  # a module may be talkative
                env=_environment(access),
            )
    except OSError:
        ours.close()
        raise
    return process, ours


def _environment(access: Access) -> Mapping[str, str]:
    ours = {name: value for name, value in os.environ.items() if name not in _SYSTEMDS}
    return {**ours, **access.environment}


def ask(
    access: Access, name: str, key_id: bytes, algorithm: str, pin: str, within: timedelta
) -> Mapping[str, str]:
    """What one task gives. Raises TokenError."""
    process, channel = start(access)
    try:
        with channel:
            channel.settimeout(within.total_seconds())
            channel.sendall(access.task(name, key_id, algorithm, pin))
            return _answer(channel)
    except TimeoutError:
        raise TokenError(
            failures.ERROR, f"the token has not answered for {within.total_seconds():.0f} seconds"
        ) from None
    except (OSError, FramingError):
        raise crashed() from None
    finally:
        process.kill()  # it has nothing more to do, or hangs
        process.wait()


def _answer(channel: socket.socket) -> Mapping[str, str]:
    reader = Reader()
    while received := channel.recv(_RECEIVE):
        for kind, content in reader.feed(received):
            return done(kind, content)
    raise crashed()


def done(kind: Kind, content: bytes) -> Mapping[str, str]:
    """What the first frame of a process says. Raises TokenError."""
    said: dict[str, str] = json.loads(content)
    if kind is Kind.FAILED:
        raise TokenError(said["reason"], said["detail"])
    return said


def crashed() -> TokenError:
    return TokenError(failures.ERROR, "the module has brought its process down")
