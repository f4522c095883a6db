"""One Redis of each version for the tests that leave it alive and need no view of all keys."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from oauth_server.store.redis import RedisStore
from tests.redis.programs import PROGRAMS, Program
from tests.redis.server import Server


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", params=list(PROGRAMS))
def program(request: pytest.FixtureRequest) -> Program:
    return PROGRAMS[request.param]()


@pytest.fixture(scope="session")
def shared(program: Program) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = Server(Path(directory), program).start()
        yield server
        server.kill()


@pytest.fixture
async def store(shared: Server) -> AsyncIterator[RedisStore]:
    store = shared.store()
    yield store
    await store.close()


@pytest.fixture
def redis(program: Program) -> Iterator[Server]:
    """One of the test's own, to look into, to fill and to kill. A socket's path has to be short."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = Server(Path(directory), program).start()
        yield server
        server.kill()
