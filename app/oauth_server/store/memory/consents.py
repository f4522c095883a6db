"""Remembered consents, in memory."""

from __future__ import annotations

from collections.abc import Mapping

from oauth_server.store.interface import Consent, RevocationKind
from oauth_server.store.memory.part import Part


class MemoryConsents(Part):
    async def remember_consent(self, subject: str, client_id: str, consent: Consent) -> None:
        self._state.consents.setdefault(subject, {})[client_id] = consent

    async def find_consent(self, subject: str, client_id: str) -> Consent | None:
        return self._state.consents.get(subject, {}).get(client_id)

    async def list_consents(self, subject: str) -> Mapping[str, Consent]:
        return dict(self._state.consents.get(subject, {}))

    async def withdraw_consent(self, subject: str, client_id: str) -> None:
        consents = self._state.consents.get(subject, {})
        consents.pop(client_id, None)
        if not consents:
            self._state.consents.pop(subject, None)
        now = self._state.now()
        for family, ends in (self._state.given.get((subject, client_id)) or {}).items():
            if now < ends:
                self._state.revoke(RevocationKind.FAMILY, family)
        self._state.given.drop((subject, client_id))
