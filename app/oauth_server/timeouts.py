"""A bound for what is awaited: asyncio's, where it can be relied on."""

from __future__ import annotations

import sys

__all__ = ["bound"]

# asyncio's own can miss its moment before 3.11.3 (redis/redis-py#2633).
if sys.version_info >= (3, 11, 3):
    from asyncio import timeout as bound  # type: ignore[attr-defined]  # mypy asks for 3.10's
else:
    from async_timeout import timeout as bound
