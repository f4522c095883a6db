"""What hosts announce, in memory: there is one host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oauth_server.store.interface import STATEMENT_LENGTH
from oauth_server.store.memory.part import Part


class MemoryBoard(Part):
    async def announce(self, host: str, statement: str) -> None:
        self._state.announcements[host] = statement

    async def announcements(self, hosts: Sequence[str]) -> Mapping[str, str]:
        known = self._state.announcements
        return {
            host: known[host]
            for host in hosts
            if host in known and len(known[host]) <= STATEMENT_LENGTH
        }
