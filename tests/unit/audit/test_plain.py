"""What port 80 says, of servers of each kind on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from http.client import HTTPConnection

import pytest

from tests.audit.plain import CLOSED, HUNG_UP, PlainPort

_PATHS = ("/", "/token", "/.well-known/acme-challenge/")


@contextmanager
def _saying(answer: bytes) -> Iterator[int]:
    """A port where each connection is read from once, told this, and closed."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def work() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        if connection.recv(65536):
                            connection.sendall(answer)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def _silent() -> Iterator[int]:
    """A port that drops whoever would connect: nobody accepts, and no more may wait."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening, ExitStack() as waiting:
        for _ in range(2):
            filling = waiting.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


@contextmanager
def _refusing() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200"),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n",
            "301 to https://x/",
        ),
        (b"", HUNG_UP),
        (b"SSH-2.0-x\r\n", HUNG_UP),
    ],
)
def test_each_path_gets_an_answer_of_its_own(said: bytes, expected: str) -> None:
    with _saying(said) as number:
        port = PlainPort("127.0.0.1", "auth.example.com", number)
        assert [port.answer(path) for path in _PATHS] == [expected] * len(_PATHS)


@pytest.mark.parametrize("kind", [_silent, _refusing])
def test_a_port_that_lets_nobody_in_is_tried_once(
    kind: Callable[[], AbstractContextManager[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    connect = HTTPConnection.connect

    def counted(self: HTTPConnection) -> None:
        tried.append(self)
        connect(self)

    monkeypatch.setattr(HTTPConnection, "connect", counted)
    with kind() as number:
        port = PlainPort("127.0.0.1", "auth.example.com", number, patience=0.2)
        assert [port.answer(path) for path in _PATHS] == [CLOSED] * len(_PATHS)
    assert len(tried) == 1
