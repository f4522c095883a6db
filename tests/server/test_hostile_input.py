"""What no library would send."""

from __future__ import annotations

import resource
import socket
import time
from pathlib import Path

import httpx
import pytest

from oauth_server.protocol import form
from tests.server.process import Server, Site, serving, wait_for
from tests.server.test_token import assert_refused, basic

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def answer(server: Server, request: bytes) -> bytes:
    with server.connect() as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def test_a_body_of_10_mb_is_refused(http: httpx.Client) -> None:
    response = http.post("/token", content=b"a" * 10_000_000, headers={**FORM, **basic()})
    assert_refused(response, 413, "content_too_large")


def test_a_body_that_says_it_is_endless_is_refused_early(server: Server) -> None:
    head = b"POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
    assert answer(server, head + b"\r\n" + chunk * 3).startswith(b"HTTP/1.1 413 ")


def test_100000_parameters_are_refused(http: httpx.Client) -> None:
    many = "&".join(f"{n}=" for n in range(100_000))
    response = http.post("/token", content=many, headers={**FORM, **basic()})
    assert response.status_code in {400, 413}
    few = "&".join(f"{n}=" for n in range(form.MAX_PARAMETERS + 1))
    assert_refused(
        http.post("/token", content=few, headers={**FORM, **basic()}), 400, "invalid_request"
    )


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"\0" * 100 + b"\r\n\r\n", id="zeros"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="tls-hello"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", id="nul-in-a-header"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no-host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000, id="many-headers"),
        pytest.param(b"GET /" + b"a" * 100_000, id="long-path"),
        pytest.param(
            b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            id="rfc9112-6.3-two-lengths",
        ),
        pytest.param(
            b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", id="negative-length"
        ),
    ],
)
def test_what_is_not_http_gets_a_400_and_leaves_no_trace(server: Server, request_: bytes) -> None:
    try:
        received = answer(server, request_)
    except (ConnectionResetError, BrokenPipeError):
        received = b""  # the rest of a head that was too long was refused unread
    assert received.startswith(b"HTTP/1.1 400 ") or not received
    assert "Traceback" not in server.journal
    with server.client() as http:
        assert http.get("/health/live").status_code == 200


def test_who_hangs_up_in_the_middle_harms_nobody(server: Server) -> None:
    before = len(server.log())
    with server.connect() as connection:
        connection.sendall(b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n")
        connection.sendall(b"Content-Type: application/x-www-form-urlencoded\r\n\r\ngrant_type=")
        time.sleep(0.2)
    time.sleep(0.3)
    (line,) = server.log()[before:]
    assert " 499 client_closed_request token " in line
    assert "Traceback" not in server.journal


def test_who_sends_slowly_is_cut_off_and_holds_up_nobody(server: Server) -> None:
    """Slow heads and slow bodies, and connections that never say a word."""
    slow = [server.connect() for _ in range(150)]
    for number, connection in enumerate(slow):
        if number % 3:
            connection.sendall(b"POST /token HTTP/1.1\r\nHost: x\r\n")
        if number % 3 == 2:
            connection.sendall(b"Content-Length: 1000\r\n\r\na")
    start = time.monotonic()
    while slow:
        with server.client() as http:
            assert http.get("/health/live").elapsed.total_seconds() < 1
        time.sleep(0.5)
        slow = [connection for connection in slow if drips(connection)]
        assert time.monotonic() - start < 25


def drips(connection: socket.socket) -> bool:
    """One more byte, just often enough; False when the server has had enough."""
    try:
        connection.sendall(b"a")
    except OSError:
        connection.close()
        return False
    return True


def test_without_descriptors_it_says_so_once_and_recovers(tmp_path: Path, site: Site) -> None:
    with serving(tmp_path, site) as server:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        idle = [server.connect() for _ in range(60)]
        wait_for(lambda: "no connection can be accepted" in server.journal)
        time.sleep(1.5)
        assert len(server.journal.splitlines()) == 1
        for connection in idle:
            connection.close()
        with server.client() as http:
            assert http.get("/health/live").status_code == 200


def test_memory_does_not_grow_with_refusals(server: Server, http: httpx.Client) -> None:
    def resident() -> int:
        with open(f"/proc/{server.process.pid}/statm") as status:  # noqa: PTH123
            return int(status.read().split()[1]) * 4096

    for _ in range(100):
        http.post("/token", content=b"a" * 60_000, headers=FORM)
    before = resident()
    for _ in range(400):
        http.post("/token", content=b"a" * 60_000, headers=FORM)
    assert resident() - before < 4_000_000
