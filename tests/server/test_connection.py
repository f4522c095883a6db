"""Where a connection ends: after what, and by when."""

from __future__ import annotations

import array
import contextlib
import fcntl
import select
import socket
import termios
import time
from pathlib import Path

from tests.server.process import Server, wait_for

POST = b"POST /nowhere HTTP/1.1\r\nHost: x\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
METADATA = b"GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: x\r\n\r\n"


def rest(connection: socket.socket) -> bytes:
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass  # it was closed with something unread
    return received


def early_answer(connection: socket.socket, head: bytes) -> bytes:
    """The answer to a request of which the head alone was sent."""
    connection.sendall(head + b"\r\n")
    received = connection.recv(65536)
    assert received.startswith(b"HTTP/1.1 404 ")
    return received


def is_ended(connection: socket.socket) -> bool:
    """By the server, whether what it had sent was read or not."""
    poll = select.poll()
    poll.register(connection, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


def ask_until_nothing_fits(connection: socket.socket) -> None:
    """And read nothing."""
    connection.settimeout(1)
    try:
        while True:
            connection.sendall(METADATA)
            time.sleep(0.002)
    except TimeoutError:
        pass


def ask_until_an_answer_waits(connection: socket.socket) -> None:
    """In the server, because no more fits into the kernel."""

    def unread() -> int:
        count = array.array("i", [0])
        fcntl.ioctl(connection, termios.FIONREAD, count)
        return count[0]

    waited = 0.0
    while waited < 1:
        before, sent = unread(), time.monotonic()
        connection.sendall(METADATA)
        while unread() == before and waited < 1:
            time.sleep(0.001)
            waited = time.monotonic() - sent


def test_who_is_answered_before_the_body_came_is_not_kept_for_ever(server: Server) -> None:
    """CWE-400: an idle connection is one however it came to be idle."""
    with server.connect() as connection:
        early_answer(connection, POST + b"Content-Length: 1\r\n")
        connection.sendall(b"a")
        wait_for(lambda: is_ended(connection), 14)


def test_who_never_reads_is_cut_off(server: Server) -> None:
    """CWE-400: an answer waits for the ones before it to leave, and they never do."""
    with server.connect() as connection:
        ask_until_nothing_fits(connection)
        wait_for(lambda: is_ended(connection), 20)


def test_who_never_reads_and_closes_the_other_half_is_cut_off(server: Server) -> None:
    """CWE-772: asyncio would wait for what is written to leave, for ever."""
    with server.connect() as connection:
        ask_until_an_answer_waits(connection)
        connection.shutdown(socket.SHUT_WR)
        wait_for(lambda: is_ended(connection), 6)


def test_a_request_has_one_answer_whatever_follows(server: Server) -> None:
    """RFC 9112 §9.2: a second one would be taken for the answer to the next request."""
    with server.connect() as connection:
        early_answer(connection, POST + b"Transfer-Encoding: chunked\r\n")
        connection.sendall(b"nonsense\r\n")
        assert rest(connection) == b""


def test_the_framing_of_a_body_has_a_bound_after_the_answer_too(server: Server) -> None:
    """CWE-770: the parser keeps a trailer's name until it ends."""

    def resident() -> int:
        return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096

    with server.connect() as connection:
        early_answer(connection, POST + b"Transfer-Encoding: chunked\r\n")
        before = resident()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b"0\r\n" + b"a" * 20_000_000)
        assert resident() - before < 5_000_000


def test_a_head_after_a_body_has_the_same_bound(server: Server) -> None:
    """CWE-770: also if both arrive at once."""
    with server.connect() as connection:
        early_answer(connection, POST + b"Content-Length: 100\r\n")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b"a" * 100 + LIVE + b"A: " + b"a" * 60_000 + b"\r\n\r\n")
        assert b"HTTP/1.1 200 " not in rest(connection)


def test_a_body_that_was_asked_about_and_answered_unsent_ends_the_connection(
    server: Server,
) -> None:
    """RFC 9110 §10.1.1: what comes next is the body to one reader, and a request to another."""
    with server.connect() as connection:
        said = early_answer(connection, POST + b"Expect: 100-continue\r\nContent-Length: 44\r\n")
        assert b"\r\nconnection: close\r\n" in said
        assert rest(connection) == b""


def test_a_client_of_1_0_is_not_told_to_go_on(server: Server) -> None:
    """RFC 9110 §10.1.1: it would take that for the answer."""
    with server.connect() as connection:
        head = b"POST /token HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        connection.sendall(head)
        time.sleep(0.3)
        connection.sendall(b"a")
        assert rest(connection).startswith(b"HTTP/1.1 400 ")


def test_what_follows_a_close_is_not_done(server: Server) -> None:
    """RFC 9112 §9.6."""
    before = len(server.log())
    with server.connect() as connection:
        connection.sendall(LIVE + b"Connection: close\r\n\r\n" + POST + b"\r\n")
        assert rest(connection).count(b"HTTP/1.1 ") == 1
    assert server.log()[before:] == []


def test_a_client_of_1_0_has_one_request_a_connection(server: Server) -> None:
    """RFC 9112 §9.3: a proxy of 1.0 passes on a keep-alive that it doesn't understand."""
    with server.connect() as connection:
        request = b"GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        connection.sendall(request * 2)
        received = rest(connection)
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in received
