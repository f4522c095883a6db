"""A store for development and tests: it lives and dies with the process."""

from __future__ import annotations


class MemoryStore:
    async def ping(self) -> None:
        return

    async def close(self) -> None:
        return
