"""What no library would send."""

from __future__ import annotations

import resource
import socket
import time
from pathlib import Path

import httpx
import pytest

from oauth_server.protocol import form
from tests.server.person import request
from tests.server.process import Server, Site, serving, wait_for
from tests.server.test_token import basic

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def answer(server: Server, request: bytes) -> bytes:
    with server.connect() as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


POSTS = ["/token", "/revoke", "/introspect", "/account", request()]


@pytest.mark.parametrize("path", POSTS)
def test_a_body_of_10_mb_is_refused(http: httpx.Client, path: str) -> None:
    """CWE-770."""
    response = http.post(path, content=b"a" * 10_000_000, headers={**FORM, **basic()})
    assert response.status_code == 413


@pytest.mark.parametrize("path", POSTS)
def test_a_body_that_says_it_is_endless_is_refused_early(server: Server, path: str) -> None:
    """CWE-770: past the limit nothing is kept, and nothing is waited for."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    headers = "".join(f"{name}: {value}\r\n" for name, value in FORM.items())
    chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
    received = answer(server, (head + headers + "\r\n").encode() + chunk * 3)
    assert received.startswith(b"HTTP/1.1 413 ")


def test_a_page_takes_a_form_of_8_kb_and_no_more(server: Server) -> None:
    """CWE-770: nobody types more; what a program may send is four times as much."""
    with server.client() as http:
        for size, status in ((8192, 303), (8193, 413)):
            response = http.post("/account", content=b"a=".ljust(size, b"a"), headers=FORM)
            assert response.status_code == status


def test_100000_parameters_are_refused(http: httpx.Client) -> None:
    """CWE-770; hashed by an attacker's choice of names, CVE-2011-4885 and its kin."""
    many = "&".join(f"{n}=" for n in range(100_000))
    response = http.post("/token", content=many, headers={**FORM, **basic()})
    assert response.status_code in {400, 413}
    good = "grant_type=client_credentials"
    for few, status in ((form.MAX_PARAMETERS - 1, 200), (form.MAX_PARAMETERS, 400)):
        body = "&".join([good, *(f"{n}=" for n in range(few))])
        assert http.post("/token", content=body, headers={**FORM, **basic()}).status_code == status


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"\0" * 100 + b"\r\n\r\n", id="zeros"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="tls-hello"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", id="nul-in-a-header"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no-host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000, id="many-headers"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 64 + b"\r\n", id="65-headers"
        ),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20_000, id="long-header"),
        pytest.param(b"X / HTTP/1.1\r\nHost: x\r\n\r\n", id="no-method-of-http"),
        pytest.param(b"GET /" + b"a" * 100_000, id="long-path"),
        pytest.param(
            b"GET /authorize?" + b"&".join(b"%d=" % number for number in range(100_000)),
            id="100000-parameters",
        ),
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


HEAD = b"POST /token HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(
            HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="rfc9112-6.1-length-and-chunked",
        ),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            id="rfc9112-6.1-chunked-and-length",
        ),
        pytest.param(HEAD + b"Content-Length: 5, 5\r\n\r\nabcde", id="list-of-lengths"),
        pytest.param(HEAD + b"Content-Length: +5\r\n\r\nabcde", id="signed-length"),
        pytest.param(HEAD + b"Content-Length: 0x5\r\n\r\nabcde", id="hexadecimal-length"),
        pytest.param(HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", id="overflowing-length"),
        pytest.param(
            HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="coding-before-chunked"
        ),
        pytest.param(HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", id="xchunked"),
        pytest.param(HEAD + b"Transfer-Encoding: identity\r\n\r\n", id="identity"),
        pytest.param(HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", id="vertical-tab"),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n", id="chunked-twice"
        ),
        pytest.param(
            b"POST /token HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="rfc9112-6.1-chunked-in-1.0",
        ),
        pytest.param(
            HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", id="space-before-colon"
        ),
        pytest.param(HEAD + b"A: b\r\n c\r\n\r\n", id="rfc9112-5.2-obs-fold"),
        pytest.param(
            b"POST /token HTTP/1.1\r\n Host: x\r\n\r\n", id="space-before-the-first-header"
        ),
        pytest.param(b"POST /token HTTP/1.1\nHost: x\n\n", id="bare-lf"),
        pytest.param(HEAD + b"A: b\nC: d\r\n\r\n", id="bare-lf-after-a-header"),
        pytest.param(HEAD + b"A: b\rC: d\r\n\r\n", id="bare-cr-in-a-header"),
        pytest.param(HEAD + b"\n", id="bare-lf-ends-the-head"),
        pytest.param(HEAD + b"A: b\x01\r\n\r\n", id="control-character"),
        pytest.param(HEAD + b"A\0B: c\r\n\r\n", id="nul-in-a-name"),
        pytest.param(HEAD + b"Host: x\r\n\r\n", id="rfc9112-3.2-two-hosts"),
        pytest.param(b"POST /token#a HTTP/1.1\r\nHost: x\r\n\r\n", id="fragment"),
        pytest.param(b"POST /token\xff HTTP/1.1\r\nHost: x\r\n\r\n", id="path-not-ascii"),
        pytest.param(b"POST /token HTTP/2.0\r\nHost: x\r\n\r\n", id="version-2.0"),
        pytest.param(b"GET /token\r\n\r\n", id="version-0.9"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="rfc9113-3.4-preface"),
        pytest.param(b"CONNECT evil.test:443 HTTP/1.1\r\nHost: x\r\n\r\n", id="connect"),
        pytest.param(CHUNKED + b"1\nx\r\n0\r\n\r\n", id="bare-lf-after-a-size"),
        pytest.param(CHUNKED + b"1;a\nx\r\n0\r\n\r\n", id="bare-lf-after-an-extension"),
        pytest.param(CHUNKED + b"1\r\nxy\r\n0\r\n\r\n", id="chunk-longer-than-its-size"),
        pytest.param(CHUNKED + b"-1\r\nx\r\n0\r\n\r\n", id="negative-size"),
        pytest.param(CHUNKED + b"f" * 17 + b"\r\nx\r\n0\r\n\r\n", id="overflowing-size"),
        pytest.param(CHUNKED + b"1;" + b"a" * 20_000, id="endless-extension"),
        pytest.param(CHUNKED + b"1;a=b\r\nx\r\n" * 2000, id="many-extensions"),
        pytest.param(CHUNKED + b"0\r\n" + b"a: b\r\n" * 3000, id="many-trailers"),
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_refused(
    server: Server, request_: bytes
) -> None:
    """Request smuggling: RFC 9112 §11.2, and the leniencies of parsers."""
    before = server.log()
    received = answer(server, request_ + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1
    assert "Traceback" not in server.journal
    # What had begun to arrive counts as a client that went away, and nothing else happened.
    wait_for(lambda: all(" 499 " in line for line in server.log()[len(before) :]))


def test_a_trailer_does_not_pass_for_a_header(server: Server) -> None:
    """RFC 9110 §6.5.1."""
    trailers = b"Authorization: Basic eDp5\r\nX-Forwarded-For: 6.6.6.6\r\n"
    request = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    received = answer(server, request + b"1\r\na\r\n0\r\n" + trailers + b"\r\n")
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"invalid_request" in received
    assert "6.6.6.6" not in server.log()[-1]


LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    """RFC 9112 §9.3.2."""
    received = answer(
        server,
        LIVE
        + b"\r\n"
        + b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
        + LIVE
        + b"Connection: close\r\n\r\n",
    )
    statuses = [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"404", b"200"]


def test_an_answer_does_not_suffer_from_nonsense_that_follows_its_request(server: Server) -> None:
    """RFC 9112 §9.3.2."""
    received = answer(server, LIVE + b"\r\n" + b"nonsense\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.count(b"HTTP/1.1 ") == 1


def test_a_flood_of_pipelined_requests_is_not_queued(server: Server) -> None:
    """CWE-770."""
    received = answer(server, (LIVE + b"\r\n") * 5000)
    assert 1 <= received.count(b"HTTP/1.1 200 ") < 5000


def test_who_wants_another_protocol_is_answered_in_this_one(server: Server) -> None:
    """RFC 9110 §7.8: as `curl --http2` asks."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    received = answer(server, LIVE + upgrade + b"\r\n" + LIVE + b"\r\n")
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in received


def test_who_asks_before_sending_a_body_is_told_to_go_on(server: Server) -> None:
    """RFC 9110 §10.1.1."""
    with server.connect() as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"a")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_who_hangs_up_in_the_middle_harms_nobody(server: Server) -> None:
    """CWE-404."""
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
    """Slow heads (CVE-2007-6750), slow bodies (CWE-400), and who never says a word."""
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
    """CWE-774."""
    with serving(tmp_path, site) as server:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        idle = [server.connect() for _ in range(60)]
        wait_for(lambda: "no connection can be accepted" in server.journal)
        time.sleep(1.5)
        assert server.journal.count("no connection can be accepted") == 1
        for connection in idle:
            connection.close()
        with server.client() as http:
            assert http.get("/health/live").status_code == 200


def test_memory_does_not_grow_with_refusals(server: Server, http: httpx.Client) -> None:
    """CWE-401."""

    def resident() -> int:
        with open(f"/proc/{server.process.pid}/statm") as status:  # noqa: PTH123
            return int(status.read().split()[1]) * 4096

    for _ in range(100):
        http.post("/token", content=b"a" * 60_000, headers=FORM)
    before = resident()
    for _ in range(400):
        http.post("/token", content=b"a" * 60_000, headers=FORM)
    assert resident() - before < 4_000_000
