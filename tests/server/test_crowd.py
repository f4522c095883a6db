"""Thousands who connect and say nothing, and somebody who comes for a token meanwhile (CWE-400)."""

from __future__ import annotations

import resource
import select
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.server.process import Server, Site, configure, serving, wait_for
from tests.server.test_connection import is_ended
from tests.server.test_metrics import samples, value
from tests.server.test_token import GRANT, basic


@pytest.fixture
def silent() -> Iterator[ExitStack]:
    """Holds connections until the test is over."""
    with ExitStack() as held:
        yield held


def connect(server: Server, source: str, held: ExitStack) -> socket.socket:
    connection = socket.create_connection(server.tcp, timeout=10, source_address=(source, 0))
    return held.enter_context(connection)


def shake_hands(server: Server, connection: socket.socket, held: ExitStack) -> ssl.SSLSocket:
    secure = server.tls().wrap_socket(connection, server_hostname="127.0.0.1")
    return held.enter_context(secure)


def resident(server: Server) -> int:
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096


def connections(server: Server) -> float:
    return value(samples(server), "connections")


def fetch_token(server: Server, source: str) -> None:
    transport = httpx.HTTPTransport(verify=server.tls(), local_address=source)
    with httpx.Client(transport=transport, timeout=10) as client:
        url = f"https://127.0.0.1:{server.tcp[1]}/token"
        assert client.post(url, data=GRANT, headers=basic()).status_code == 200


def test_a_source_ends_its_own_longest_silent_connections(
    tmp_path: Path, site: Site, silent: ExitStack
) -> None:
    with serving(tmp_path, site, max_connections_per_source=4) as server:
        before_tls = [connect(server, "127.0.0.2", silent) for _ in range(4)]
        other = shake_hands(server, connect(server, "127.0.0.3", silent), silent)
        later = [
            shake_hands(server, connect(server, "127.0.0.2", silent), silent) for _ in range(4)
        ]
        wait_for(lambda: all(map(is_ended, before_tls)))
        connect(server, "127.0.0.2", silent)
        wait_for(lambda: is_ended(later[0]))
        assert not any(map(is_ended, [other, *later[1:]]))
        assert value(samples(server), "connections_turned_away_total") == 5
        fetch_token(server, "127.0.0.2")


def test_a_connection_counts_until_it_ends_however_it_ends(
    tmp_path: Path, site: Site, silent: ExitStack
) -> None:
    with serving(tmp_path, site) as server:
        first, second = (connect(server, "127.0.0.2", silent) for _ in range(2))
        third = shake_hands(server, connect(server, "127.0.0.2", silent), silent)
        wait_for(lambda: connections(server) == 3)
        first.sendall(b"this is not TLS")
        wait_for(lambda: connections(server) == 2)
        second.close()
        third.close()
        wait_for(lambda: connections(server) == 0)
        fetch_token(server, "127.0.0.2")
        wait_for(lambda: connections(server) == 0)


def test_trusted_proxies_are_not_counted(tmp_path: Path, site: Site, silent: ExitStack) -> None:
    limits = {"max_connections_per_source": 1, "trusted_proxies": ["127.0.0.2"]}
    with serving(tmp_path, site, **limits) as server:
        trusted = [connect(server, "127.0.0.2", silent) for _ in range(3)]
        stranger, _ = (connect(server, "127.0.0.3", silent) for _ in range(2))
        wait_for(lambda: is_ended(stranger))
        assert not any(map(is_ended, trusted))


def test_a_reload_takes_over_other_limits(tmp_path: Path, site: Site, silent: ExitStack) -> None:

    with serving(tmp_path, site) as server:
        first = connect(server, "127.0.0.2", silent)
        wait_for(lambda: connections(server) == 1)
        configure(tmp_path, site, max_connections_per_source=1)
        server.send(signal.SIGHUP)
        wait_for(lambda: b"READY=1" in server.notified.recv(100))
        connect(server, "127.0.0.2", silent)
        wait_for(lambda: is_ended(first))


def hello(server: Server) -> bytes:
    """The first thing that a TLS client says."""
    out = ssl.MemoryBIO()
    client = server.tls().wrap_bio(ssl.MemoryBIO(), out, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


def is_answered(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0])


def test_a_handshake_waits_for_those_of_its_own_source_alone(
    tmp_path: Path, site: Site, silent: ExitStack
) -> None:
    with serving(tmp_path, site) as server:
        fetch_token(server, "127.0.0.2")  # it accepts, and lets as many wait as it means to
        server.send(signal.SIGSTOP)
        asking = [connect(server, "127.0.0.2", silent) for _ in range(400)]
        for connection in asking:
            connection.sendall(hello(server))
        last = connect(server, "127.0.0.3", silent)
        last.sendall(hello(server))
        server.send(signal.SIGCONT)
        assert last.recv(1)
        assert sum(map(is_answered, asking)) < 300
        wait_for(lambda: all(map(is_answered, asking)), 20)


def test_a_hello_in_pieces_is_one(server: Server, silent: ExitStack) -> None:
    connection = connect(server, "127.0.0.2", silent)
    said = hello(server)
    for byte in said[:40]:
        connection.sendall(bytes([byte]))
    connection.sendall(said[40:])
    assert connection.recv(1) == b"\x16"  # a record of the handshake


@pytest.mark.parametrize("handshake", [False, True], ids=["tcp-alone", "after-the-handshake"])
def test_what_a_silent_connection_costs(
    tmp_path: Path, site: Site, silent: ExitStack, handshake: bool
) -> None:
    """asyncio keeps a buffer of 256 KB for each, unless it is told otherwise."""
    count = 400
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    with serving(tmp_path, site) as server:
        fetch_token(server, "127.0.0.3")
        before = resident(server)
        for _ in range(count):
            connection = connect(server, "127.0.0.2", silent)
            if handshake:
                shake_hands(server, connection, silent)
        wait_for(lambda: connections(server) == count)
        assert (resident(server) - before) / count < 100_000
