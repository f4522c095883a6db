"""Login sessions, in memory."""

from __future__ import annotations

from datetime import timedelta

from oauth_server.store.interface import Digest, Session
from oauth_server.store.memory.part import Part


class MemorySessions(Part):
    async def open_session(
        self, session_id: Digest, session: Session, *, lifetime: timedelta
    ) -> None:
        ends = self._state.now() + lifetime.total_seconds()
        self._state.sessions.put(session_id, session, ends)

    async def find_session(self, session_id: Digest) -> Session | None:
        return self._state.sessions.get(session_id)

    async def close_session(self, session_id: Digest) -> None:
        self._state.sessions.drop(session_id)
