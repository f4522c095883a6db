"""The log: one line an event, which nothing that a client sends can break or forge.

time address status error event key=value …
"""

from __future__ import annotations

import os
import re
import string
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from oauth_server.errors import OperatorError

_MAX_VALUE = 256
_PLAIN = (string.ascii_letters + string.digits + "._:/-").encode()
_ENCODED = re.compile(b"[^%b]" % re.escape(_PLAIN))
_MODE = 0o640


class Marker(str):
    """A value that is ours and stands as it is, where one of a client's would be encoded."""

    __slots__ = ()


UNKNOWN = Marker("?")
"""Instead of an unregistered `client_id`, which may be a secret in the wrong field."""


class Sink(Protocol):
    def write(self, line: bytes) -> None:
        """Append a line, which ends with a newline. Never raises: a full disk stops no request."""


def line(
    when: datetime, address: str, status: int, error: str, event: str, fields: Mapping[str, str]
) -> bytes:
    """One event; `address` and `error` may be empty, and everything is encoded."""
    time = when.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    # Nearly every line is plain from end to end: one look at all of it instead of one at each part.
    if _is_plain("/".join([address, error, event, *fields, *fields.values()])):
        named = map("=".join, fields.items())
    else:
        address, error, event = encode(address), encode(error), encode(event)
        named = map("=".join, [(encode(key), _shown(value)) for key, value in fields.items()])
    text = f"{time} {address or '-'} {status} {error or '-'} {event or '-'}"
    text = " ".join([text, *named]) + "\n"
    return text.encode("ascii")


def _shown(value: str) -> str:
    return value if isinstance(value, Marker) else encode(value)


def encode(value: str) -> str:
    """Percent-encode the UTF-8 of what is outside of `[A-Za-z0-9._:/-]`."""
    if _is_plain(value):
        return value
    raw = value[:_MAX_VALUE].encode("utf-8", "surrogatepass")
    return _ENCODED.sub(lambda found: b"%%%02X" % found[0][0], raw).decode("ascii")


def _is_plain(value: str) -> bool:
    # Several times as quick as a regular expression.
    return len(value) <= _MAX_VALUE and not value.encode(errors="replace").translate(None, _PLAIN)


class LogFile:
    """A file that is opened anew on `reopen`, after somebody moved it away."""

    def __init__(self, path: Path, on_loss: Callable[[], None] | None = None) -> None:
        """`on_loss` hears of each line that could not be written whole. Raises OperatorError."""
        self._path = path
        self._on_loss = on_loss
        self._torn = False
        self._failing = False
        try:
            self._descriptor = _open(path)
        except OSError as error:
            raise OperatorError(f"{path}: the log cannot be opened: {error.strerror}") from None

    def write(self, line: bytes) -> None:
        # What a full disk cut off must not run into the next line.
        whole = b"\n" + line if self._torn else line
        try:
            self._torn = os.write(self._descriptor, whole) < len(whole)
        except OSError as error:
            self._lose(error)
            return
        if self._torn:
            self._lose(None)
        else:
            self._failing = False

    def reopen(self) -> None:
        """Go on in a new file; with the old one if there can be no new one."""
        try:
            new = _open(self._path)
        except OSError as error:
            self._complain(error)
            return
        os.close(self._descriptor)
        self._descriptor = new
        self._torn = False

    def _lose(self, error: OSError | None) -> None:
        if self._on_loss is not None:
            self._on_loss()
        self._complain(error)

    def _complain(self, error: OSError | None) -> None:
        """Once for each time that writing began to fail."""
        if not self._failing:
            why = error.strerror if error else "only part of a line was written"
            print(f"oauth-server: {self._path}: {why}; events are being lost", file=sys.stderr)
        self._failing = True


class StandardError:
    """For `serve --dev`."""

    def write(self, line: bytes) -> None:
        sys.stderr.write(line.decode("ascii"))
        sys.stderr.flush()


def _open(path: Path) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
    flags |= os.O_NONBLOCK  # neither opening a FIFO nor writing to a full one may stop the server
    try:
        descriptor = os.open(path, flags | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags, 0o600)
    os.fchmod(descriptor, _MODE)  # whatever the umask is
    return descriptor
