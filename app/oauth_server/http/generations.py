"""The application that answers now, and the one before it until its last request has ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send


class Generation:
    """One application, from a reload to the next."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._running = 0
        self._on_end: Callable[[], None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
            self._end_if_over()

    def retire(self, on_end: Callable[[], None]) -> None:
        """No request begins here any more; after the last one `on_end` is called, once."""
        self._on_end = on_end
        self._end_if_over()

    def _end_if_over(self) -> None:
        if self._on_end is not None and not self._running:
            self._on_end()


class Current:
    """Hands each request to the generation of the moment in which it begins."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._generation(scope, receive, send)

    def replace(self, generation: Generation, on_end: Callable[[], None]) -> None:
        """`on_end` is called when the last request of the one before has ended."""
        old, self._generation = self._generation, generation
        old.retire(on_end)
