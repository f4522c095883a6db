"""Used assertion ids, in memory."""

from __future__ import annotations

from datetime import timedelta

from oauth_server.store.memory.part import Part


class MemoryAssertions(Part):
    async def use_assertion(self, client_id: str, jti: str, *, lifetime: timedelta) -> bool:
        used, now = self._state.assertions, self._state.now()
        if used.ends((client_id, jti)) is not None:
            return False
        used.put((client_id, jti), None, now + lifetime.total_seconds())
        return True
