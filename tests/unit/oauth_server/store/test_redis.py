"""A store that does not answer; a real Redis answers on the lab's hosts."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest

from oauth_server.errors import ErrorCode, UnavailableError
from oauth_server.store.redis import RedisStore
from oauth_server.store.redis.endpoint import Socket


async def ping(path: Path) -> None:
    store = RedisStore(Socket(path), "oauth_server", "hunter2")
    try:
        await store.ping()
    finally:
        await store.close()


def refusal(path: Path) -> UnavailableError:
    start = time.monotonic()
    with pytest.raises(UnavailableError) as refused:
        asyncio.run(ping(path))
    assert time.monotonic() - start < 3
    assert refused.value.code is ErrorCode.TEMPORARILY_UNAVAILABLE
    assert "hunter2" not in f"{refused.value} {refused.value.reason}"
    return refused.value


def test_a_missing_socket_is_told_at_once(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.sock").reason == "store_connection"


def test_a_socket_that_nobody_listens_on_is_told_at_once(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    assert refusal(tmp_path / "dead.sock").reason == "store_connection"


def test_a_store_that_accepts_and_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        refusal(tmp_path / "silent.sock")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"-WRONGPASS invalid username-password pair\r\n", id="wrong-password"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="not-redis"),
        pytest.param(b"", id="hangs-up"),
    ],
)
def test_a_store_that_answers_nonsense_is_unavailable(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "odd.sock"

    async def answering() -> None:
        async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer * 5)
            writer.close()

        server = await asyncio.start_unix_server(handle, str(path))
        with pytest.raises(UnavailableError):
            await ping(path)
        server.close()

    asyncio.run(answering())


def test_a_store_that_answers_is_available(tmp_path: Path) -> None:
    """As far as it goes without Redis: the client logs in by name and asks for a PONG."""
    path = tmp_path / "redis.sock"
    asked = bytearray()

    async def answering() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while request := await reader.read(1000):
                asked.extend(request)
                writer.write(b"+OK\r\n" if b"AUTH" in request else b"+PONG\r\n")
            writer.close()

        server = await asyncio.start_unix_server(handle, str(path))
        await ping(path)
        server.close()

    asyncio.run(answering())
    assert b"oauth_server" in asked
    assert b"CLIENT" not in asked
