"""A part of the memory store."""

from __future__ import annotations

from oauth_server.store.memory.state import State


class Part:
    def __init__(self, state: State) -> None:
        self._state = state
