from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.server.process import ENVIRONMENT, Server, Site, activated, configure


def handshake(server: Server, context: ssl.SSLContext) -> str | None:
    with (
        socket.create_connection(server.tcp, timeout=10) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as secure,
    ):
        return secure.version()


def test_tls_1_3_is_spoken(server: Server) -> None:
    assert handshake(server, server.tls()) == "TLSv1.3"


def test_tls_1_2_is_refused(server: Server) -> None:
    context = server.tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"PROTOCOL_VERSION|EOF"):
        handshake(server, context)


def test_no_session_can_be_resumed(server: Server) -> None:
    """A ticket would be sealed with a key that stays for as long as the process."""
    with (
        socket.create_connection(server.tcp, timeout=10) as connection,
        server.tls().wrap_socket(connection, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert secure.recv(4096).startswith(b"HTTP/1.1 200")
        assert secure.session is not None
        assert not secure.session.has_ticket


@pytest.mark.parametrize("path", ["/health/live", "/authorize", "/nothing"])
def test_browsers_are_told_to_come_by_tls_alone(
    server: Server, gateway: httpx.Client, path: str
) -> None:
    """In the clear nothing is said of it (RFC 6797 §7.2): a gateway says it itself."""
    with server.client() as http:
        assert http.get(path).headers["strict-transport-security"] == "max-age=63072000"
    assert "strict-transport-security" not in gateway.get(path).headers


def test_plain_http_on_the_tls_port_gets_nothing(server: Server) -> None:
    with socket.create_connection(server.tcp, timeout=10) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP" not in connection.recv(1000)


def test_the_gateways_socket_speaks_plain_http(gateway: httpx.Client) -> None:
    assert gateway.get("/health/live").status_code == 200


def test_a_certificate_that_is_a_pipe_blocks_nobody(tmp_path: Path, site: Site) -> None:
    os.mkfifo(tmp_path / "pipe")
    config = configure(tmp_path, site, certificate=str(tmp_path / "pipe"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        refused = subprocess.run(
            activated([listening], "serve", "--config", str(config)),
            pass_fds=[listening.fileno()], env=ENVIRONMENT, capture_output=True, text=True,
            timeout=20,
        )  # fmt: skip
    assert refused.returncode == 1
    assert refused.stderr == f"oauth-server: {tmp_path}/pipe: is not a regular file\n"
