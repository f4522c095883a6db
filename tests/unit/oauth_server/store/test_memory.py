from __future__ import annotations

import asyncio

from oauth_server.store.memory import MemoryStore


def test_memory_always_answers() -> None:
    async def use() -> None:
        store = MemoryStore()
        await store.ping()
        await store.close()

    asyncio.run(use())
