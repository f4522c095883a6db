"""TLS as a client sees it, against servers of each kind on loopback."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.audit.tls import REFUSED, Client, newest_spoken

NAME = "auth.example.com"
Serve = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of NAME that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "pair.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@contextmanager
def _listening(serve: Serve) -> Iterator[int]:
    """A port on loopback; `serve` gets each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _speaking(pair: Path, oldest: ssl.TLSVersion) -> Serve:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    context.minimum_version = oldest

    def serve(connection: socket.socket) -> None:
        with (
            suppress(OSError),
            context.wrap_socket(connection, server_side=True) as secured,
        ):
            if secured.recv(4096):
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    return serve


def _hanging_up(connection: socket.socket) -> None:
    """As asyncio's servers do when they don't like the offer."""
    connection.recv(4096)


def test_a_server_of_tls_1_3_only_refuses_older_clients(pair: Path) -> None:
    with _listening(_speaking(pair, ssl.TLSVersion.TLSv1_3)) as port:
        assert newest_spoken("127.0.0.1", port, ssl.TLSVersion.TLSv1_2) == REFUSED
        assert newest_spoken("127.0.0.1", port, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"


def test_a_server_of_tls_1_2_is_found_out(pair: Path) -> None:
    with _listening(_speaking(pair, ssl.TLSVersion.TLSv1_2)) as port:
        assert newest_spoken("127.0.0.1", port, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"


def test_a_server_that_hangs_up_in_the_handshake_has_refused() -> None:
    with _listening(_hanging_up) as port:
        assert newest_spoken("127.0.0.1", port, ssl.TLSVersion.TLSv1_2) == REFUSED


def test_a_closed_port_has_refused_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert newest_spoken("127.0.0.1", port, ssl.TLSVersion.TLSv1_2).startswith("no connection")


def test_a_server_without_tls_has_refused_nothing() -> None:
    def plain(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with _listening(plain) as port:
        assert newest_spoken("127.0.0.1", port, ssl.TLSVersion.TLSv1_2).startswith("failed")


def test_a_request_goes_to_the_address_and_is_verified_by_the_name(pair: Path) -> None:
    with _listening(_speaking(pair, ssl.TLSVersion.TLSv1_3)) as port:
        response = Client("127.0.0.1", NAME, str(pair)).request("/", port)
        assert (response.status, response.body) == (200, b"{}")
        assert x509.load_der_x509_certificate(response.certificate).serial_number == 7


@pytest.mark.parametrize(("name", "trusted"), [("other.example.com", True), (NAME, False)])
def test_another_name_and_an_unknown_ca_are_refused(pair: Path, name: str, trusted: bool) -> None:
    with (
        _listening(_speaking(pair, ssl.TLSVersion.TLSv1_3)) as port,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        Client("127.0.0.1", name, str(pair) if trusted else None).request("/", port)


def test_an_older_protocol_is_not_spoken_even_to_a_trusted_server(pair: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def serve(connection: socket.socket) -> None:
        with suppress(OSError):
            context.wrap_socket(connection, server_side=True)

    with _listening(serve) as port, pytest.raises(ssl.SSLError):
        Client("127.0.0.1", NAME, str(pair)).request("/", port)
