"""What the server asks of a store."""

from __future__ import annotations

from typing import Protocol


class Store(Protocol):
    """Every method answers or raises UnavailableError within a bounded time."""

    async def ping(self) -> None:
        """Return if the store answers."""

    async def close(self) -> None:
        """Give back connections; the store is not used afterwards."""
