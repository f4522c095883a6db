"""Authorization codes, in Redis."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from oauth_server.models import Authorization
from oauth_server.store.interface import Digest, Proof, RefreshToken, Replay
from oauth_server.store.redis import scripts
from oauth_server.store.redis.part import REVOCATIONS, Part, encoded, milliseconds, outcome


class RedisCodes(Part):
    async def save_code(
        self,
        code: Digest,
        proof: Proof,
        authorization: Authorization,
        *,
        lifetime: timedelta,
        remembered: timedelta,
    ) -> None:
        await self._redis.script(
            scripts.SAVE_CODE,
            _keys(code),
            _text(proof),
            encoded(authorization),
            authorization.family,
            authorization.subject,
            authorization.client_id,
            milliseconds(lifetime),
            milliseconds(remembered),
        )

    async def present_code(self, code: Digest, proof: Proof) -> Authorization | Replay | None:
        return outcome(
            await self._redis.script(scripts.PRESENT_CODE, _keys(code), _text(proof)),
        )

    async def redeem_code(
        self, code: Digest, proof: Proof, refresh: RefreshToken | None, *, lifetime: timedelta
    ) -> Authorization | Replay | None:
        keys, begins = _keys(code), list[str | int]()
        if refresh is not None:
            keys.append(f"oauth:family:{refresh.family}")
            begins += refresh.handle, refresh.secret, milliseconds(lifetime)
        return outcome(await self._redis.script(scripts.REDEEM_CODE, keys, _text(proof), *begins))


def _keys(code: Digest) -> list[str]:
    return [*REVOCATIONS, f"oauth:code:{code}"]


def _text(proof: Proof) -> str:
    """The same text for the same proof, and for no other."""
    return msgspec.json.encode((proof.client_id, proof.redirect_uri, proof.code_challenge)).decode()
