from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis.programs import distribution
from tests.redis.server import Server as Redis
from tests.server.process import Site, serving
from tests.server.shared_state.pair import Pair, settings


@pytest.fixture
def pair(tmp_path: Path, site: Site) -> Iterator[Pair]:
    """Two servers and a Redis of the test's own."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        redis = Redis(Path(directory), distribution()).start()
        try:
            with (
                serving(tmp_path / "one", site, **settings(redis)) as one,
                serving(tmp_path / "two", site, **settings(redis)) as two,
            ):
                yield Pair(redis, [one, two])
        finally:
            redis.kill()
