from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis.programs import distribution
from tests.redis.server import Server as Redis


@pytest.fixture
def redis() -> Iterator[Redis]:
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = Redis(Path(directory), distribution()).start()
        try:
            yield server
        finally:
            server.kill()
