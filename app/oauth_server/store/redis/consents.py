"""Remembered consents, in Redis: a hash for each subject."""

from __future__ import annotations

from collections.abc import Mapping

from oauth_server.store.interface import Consent
from oauth_server.store.redis import scripts
from oauth_server.store.redis.part import REVOCATIONS, Part, decoded, encoded


class RedisConsents(Part):
    async def remember_consent(self, subject: str, client_id: str, consent: Consent) -> None:
        await self._redis.command(
            "remember_consent", "HSET", _key(subject), client_id, encoded(consent)
        )

    async def find_consent(self, subject: str, client_id: str) -> Consent | None:
        found = await self._redis.command("find_consent", "HGET", _key(subject), client_id)
        return None if found is None else _consent(found)

    async def list_consents(self, subject: str) -> Mapping[str, Consent]:
        found = await self._redis.command("list_consents", "HGETALL", _key(subject))
        return dict(zip(found[::2], map(_consent, found[1::2]), strict=True))

    async def withdraw_consent(self, subject: str, client_id: str) -> None:
        keys = [*REVOCATIONS, _key(subject), f"oauth:given:{client_id}:{subject}"]
        await self._redis.script(scripts.WITHDRAW_CONSENT, keys, client_id)


def _key(subject: str) -> str:
    return f"oauth:consents:{subject}"


def _consent(text: str) -> Consent:
    return decoded(text, Consent)
