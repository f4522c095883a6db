"""TLS as a client sees it: which protocol a port speaks, and requests over verified TLS 1.3."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from email.message import Message
from typing import Any

_SECONDS = 5.0

REFUSED = "refused in the handshake"


def newest_spoken(address: str, port: int, newest: ssl.TLSVersion) -> str:
    """What comes of a client that offers nothing newer than `newest`.

    The version that was agreed on, REFUSED, or why there was no handshake at all: a port that is
    closed refuses everything, which proves nothing.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the question is which protocol, not whose
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = newest
    try:
        plain = socket.create_connection((address, port), _SECONDS)
    except OSError as error:
        return f"no connection: {error}"
    with plain:
        try:
            with context.wrap_socket(plain) as secured:
                return secured.version() or "no protocol"
        except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return REFUSED  # asyncio's servers close without an alert
        except ssl.SSLError as error:
            return REFUSED if error.reason in _REFUSALS else f"failed: {error}"
        except OSError as error:
            return f"failed: {error}"


# The alert protocol_version (RFC 8446 §6.2), and how OpenSSL 3.0 and later call an end of file.
_REFUSALS = ("TLSV1_ALERT_PROTOCOL_VERSION", "UNEXPECTED_EOF_WHILE_READING")


@dataclass(frozen=True)
class Response:
    """`certificate` is the server's, in DER."""

    status: int
    body: bytes
    certificate: bytes
    headers: Message

    def json(self) -> Any:
        """The body; ValueError if it is not JSON."""
        return json.loads(self.body)


class Client:
    """Speaks verified TLS 1.3 to one address, whatever the name in the certificate resolves to."""

    def __init__(self, address: str, name: str, ca_file: str | None, port: int = 443) -> None:
        """`ca_file` None is the system's trust; `port` is asked where no other is named.

        Raises OSError for a file that cannot be used.
        """
        self._address = address
        self._name = name
        self._port = port
        self._context = ssl.create_default_context(cafile=ca_file)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3

    def request(
        self,
        path: str,
        port: int | None = None,
        form: str | None = None,
        authorization: str | None = None,
    ) -> Response:
        """GET, or POST of a form. Raises OSError (TLS's included) and http.client's errors."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        if authorization:
            headers["Authorization"] = authorization
        connection = _Connection(
            self._name, port or self._port, timeout=_SECONDS, context=self._context
        )
        connection.address = self._address
        try:
            connection.request("POST" if form else "GET", path, form, headers)
            certificate = connection.sock.getpeercert(binary_form=True)
            response = connection.getresponse()
            body = response.read(1 << 20)
            return Response(response.status, body, certificate, response.headers)
        finally:
            connection.close()

    def resumable(self, port: int) -> bool:
        """Whether a client is given a ticket by which it could resume. Raises OSError."""
        connection = _Connection(self._name, port, timeout=_SECONDS, context=self._context)
        connection.address = self._address
        try:
            connection.request("GET", "/health/live")
            secured = connection.sock
            connection.getresponse().read(1 << 20)
            session = secured.session  # tickets come after the handshake, with the answer
            return bool(session and session.has_ticket)
        finally:
            connection.close()


class _Connection(http.client.HTTPSConnection):
    address: str
    sock: Any

    def connect(self) -> None:
        plain = socket.create_connection((self.address, self.port), self.timeout)
        context: ssl.SSLContext = self._context  # type: ignore[attr-defined]  # typeshed lacks it
        self.sock = context.wrap_socket(plain, server_hostname=self.host)
