"""Authorization codes, in memory."""

from __future__ import annotations

from datetime import timedelta

from oauth_server.models import Authorization
from oauth_server.store.interface import (
    MISMATCHES,
    Digest,
    Proof,
    RefreshToken,
    Replay,
    RevocationKind,
)
from oauth_server.store.memory.part import Part
from oauth_server.store.memory.state import Code, Family


class MemoryCodes(Part):
    async def save_code(
        self,
        code: Digest,
        proof: Proof,
        authorization: Authorization,
        *,
        lifetime: timedelta,
        remembered: timedelta,
    ) -> None:
        now = self._state.now()
        ends = now + lifetime.total_seconds()
        record = Code(proof, authorization, now, remembered.total_seconds())
        self._state.codes.put(code, record, ends)
        self._state.give(authorization, ends)

    async def present_code(self, code: Digest, proof: Proof) -> Authorization | Replay | None:
        found = self._judge_code(code, proof)
        return found.authorization if isinstance(found, Code) else found

    async def redeem_code(
        self, code: Digest, proof: Proof, refresh: RefreshToken | None, *, lifetime: timedelta
    ) -> Authorization | Replay | None:
        found = self._judge_code(code, proof)
        if not isinstance(found, Code):
            return found
        state, now = self._state, self._state.now()
        found.spent = True
        ends = now + found.remembered
        state.codes.put(code, found, ends)
        if refresh is not None:
            family = Family(found.authorization, found.born, refresh.handle, refresh.secret)
            state.families.put(refresh.family, family, now + lifetime.total_seconds())
            ends = max(ends, now + lifetime.total_seconds())
        state.give(found.authorization, ends)
        return found.authorization

    def _judge_code(self, digest: Digest, proof: Proof) -> Code | Replay | None:
        code = self._state.codes.get(digest)
        if code is None:
            return None
        if code.proof != proof:
            # A spent code is never forgotten by this: its replay is still to be noticed.
            if not code.spent:
                code.mismatches += 1
                if code.mismatches >= MISMATCHES:
                    self._state.codes.drop(digest)
            return None
        if code.spent:
            self._state.revoke(RevocationKind.FAMILY, code.authorization.family)
            return Replay(code.authorization.family)
        return None if self._state.is_dead(code.authorization, code.born) else code
