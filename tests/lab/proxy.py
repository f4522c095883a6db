"""The lab's package proxy: hosts have no route out and fetch packages through it alone.

It forwards to the package mirrors named at its start and to nobody else, and keeps what can never
change under its address: packages, and indexes named by their own hash.
"""

import http.client
import json
import os
import re
import select
import shutil
import socket
import socketserver
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

PORT = 31420

_IMMUTABLE = re.compile(r".*/(pool/.*\.deb|by-hash/SHA(256|512)/[0-9a-f]+)")
_KEPT_UNUSED = 30 * 24 * 3600  # seconds
_TIMEOUT = 30.0
# What apt asks with; the rest is between it and this proxy.
_FORWARDED = ("If-Modified-Since", "If-Range", "Range", "Cache-Control", "User-Agent", "Accept")
_RETURNED = ("Content-Length", "Content-Type", "Content-Range", "Last-Modified", "ETag", "Date")


class Cache:
    """Complete files only: each is written without a name and gets one when it is whole."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._filling: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)
        directory.mkdir(parents=True, exist_ok=True)

    def forget_unused(self) -> None:
        """Remove what no host has asked for in a month."""
        oldest = time.time() - _KEPT_UNUSED
        for file in self._directory.rglob("*"):
            if file.is_file() and file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)

    def place(self, url: str) -> Path | None:
        """Give the place of what the URL names, or None where its content may change."""
        parts = urlsplit(url)
        path = unquote(parts.path)
        if parts.query or not _IMMUTABLE.fullmatch(path) or ".." in path.split("/"):
            return None
        return self._directory / parts.netloc / path.lstrip("/")

    @contextmanager
    def filling(self, place: Path) -> Iterator[None]:
        """Have one download of a file at a time; the others then find it."""
        with self._filling[place]:
            yield

    def open(self, place: Path) -> BinaryIO | None:
        try:
            file = place.open("rb")
        except FileNotFoundError:
            return None
        os.utime(place)
        return file

    @contextmanager
    def filled(self, place: Path) -> Iterator[BinaryIO]:
        """Give a file to write; it appears at its place unless the block is left by an error."""
        place.parent.mkdir(parents=True, exist_ok=True)
        directory = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            nameless = os.open(place.parent, os.O_TMPFILE | os.O_RDWR, 0o644)
            with os.fdopen(nameless, "wb") as file:
                yield file
                file.flush()
                with suppress(FileExistsError):  # another lab's proxy was faster
                    # Python follows the symlink in /proc only where a directory is given.
                    source = f"/proc/self/fd/{file.fileno()}"
                    os.link(source, place.name, dst_dir_fd=directory, follow_symlinks=True)
        finally:
            os.close(directory)


class Proxy(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        mirrors: frozenset[str],
        cache: Cache,
        upstream: dict[str, str],
    ) -> None:
        super().__init__(address, _Handler)
        self.mirrors, self.cache, self.upstream = mirrors, cache, upstream
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler(upstream))

    def server_bind(self) -> None:
        # http.server's own looks up the address's name, which can take as long as a name service.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "lab", self.server_address[1]

    def handle_error(self, _request: object, client_address: object) -> None:
        """A host that hangs up is no event; anything else is worth a line."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            sys.stderr.write(f"{client_address}: {error!r}\n")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    server: Proxy

    def do_GET(self) -> None:
        if not self._is_mirror(self.path):
            return
        place = self.server.cache.place(self.path)
        if place is None:
            self._forward(None)
        elif not self._serve(place):
            with self.server.cache.filling(place):
                if not self._serve(place):
                    self._forward(place)

    def do_CONNECT(self) -> None:
        """Tunnel to a mirror that speaks TLS; what is inside stays between it and the host."""
        if not self._is_mirror(f"https://{self.path}"):
            return
        try:
            remote = self._tunnel()
        except OSError as error:
            self._refuse(502, f"{self.path}: {error}")
            return
        self.send_response(200)
        self.end_headers()
        with remote:
            _relay(self.connection, remote)
        self.close_connection = True

    def _is_mirror(self, url: str) -> bool:
        with suppress(ValueError):  # no URL at all
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            authority = f"{parts.hostname}:{port}"
            if parts.scheme in ("http", "https") and authority in self.server.mirrors:
                return True
        self._refuse(403, "this proxy serves the lab's package mirrors alone")
        return False

    def _serve(self, place: Path) -> bool:
        file = self.server.cache.open(place)
        if file is None:
            return False
        with file:
            self.send_response(200)
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            self.end_headers()
            shutil.copyfileobj(file, self.wfile)
        return True

    def _forward(self, place: Path | None) -> None:
        names = ("User-Agent",) if place else _FORWARDED
        headers = {name: self.headers[name] for name in names if self.headers[name]}
        request = urllib.request.Request(self.path, headers=headers)  # noqa: S310 (a mirror's)
        try:
            response = self.server.opener.open(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            response = error  # an answer as well: 304, 404
        except (OSError, http.client.HTTPException) as error:
            self._refuse(502, f"{self.path}: {error}")
            return
        with response:
            self._answer(response, place if response.status == 200 else None)

    def _answer(self, response: http.client.HTTPResponse, place: Path | None) -> None:
        self.send_response(response.status)
        for name in _RETURNED:
            if response.headers[name]:
                self.send_header(name, response.headers[name])
        length = response.headers["Content-Length"]
        if length is None and response.status not in (204, 304):
            self.send_header("Connection", "close")
        self.end_headers()
        if place is None or length is None:
            shutil.copyfileobj(response, self.wfile)
            return
        with self.server.cache.filled(place) as file:
            copied = 0
            while block := response.read(1 << 16):
                copied += len(block)
                file.write(block)
                self.wfile.write(block)
            if copied != int(length):
                raise ConnectionAbortedError(f"{self.path}: cut off after {copied} bytes")

    def _tunnel(self) -> socket.socket:
        target = urlsplit(f"//{self.path}")
        host, port = target.hostname or "", target.port or 443
        if "https" not in self.server.upstream:
            return socket.create_connection((host, port), timeout=_TIMEOUT)
        via = urlsplit(self.server.upstream["https"])
        chained = http.client.HTTPConnection(via.hostname or "", via.port, timeout=_TIMEOUT)
        chained.set_tunnel(host, port)
        chained.connect()
        return chained.sock

    def _refuse(self, status: int, reason: str) -> None:
        self.close_connection = True
        self.send_error(status, explain=reason)

    def log_message(self, _format: str, *values: object) -> None:
        """Keep no access log: apt's own output says what was fetched."""


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes both ways until one side is done or silent for too long."""
    peers = {one: other, other: one}
    while ready := select.select(list(peers), [], [], _TIMEOUT)[0]:
        for source in ready:
            block = source.recv(1 << 16)
            if not block:
                return
            peers[source].sendall(block)


def main(settings: Path) -> None:
    """Serve by a file's settings: they may name a proxy with a password, which arguments show."""
    chosen = json.loads(settings.read_text())
    cache = Cache(Path(chosen["cache"]))
    cache.forget_unused()
    address = (chosen["address"], PORT)
    Proxy(address, frozenset(chosen["mirrors"]), cache, chosen["upstream"]).serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
