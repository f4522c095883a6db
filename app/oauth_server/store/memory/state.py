"""What the parts of the memory store share: families are begun by one and ended by another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oauth_server.models import Authorization
from oauth_server.store.interface import (
    GRANTS_LIVE,
    TOKENS_LIVE,
    Consent,
    Digest,
    Proof,
    RevocationKind,
    Session,
)
from oauth_server.store.memory.expiring import Expiring


@dataclass
class Code:
    """`born` is when it was issued, `remembered` for how many seconds it is known once spent."""

    proof: Proof
    authorization: Authorization
    born: float
    remembered: float
    mismatches: int = 0
    spent: bool = False


@dataclass
class Family:
    """`previous` was rotated to what is current, or to what `current` took the place of."""

    authorization: Authorization
    born: float
    handle: Digest
    current: Digest
    previous: Digest | None = None
    rotated: float = 0.0


@dataclass(frozen=True)
class Revocation:
    """`issued` is when, with its fraction; `not_after` is a whole second."""

    issued: float
    not_after: int


class State:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.now = clock
        self.codes: Expiring[Digest, Code] = Expiring(clock)
        self.families: Expiring[str, Family] = Expiring(clock)
        self.given: Expiring[tuple[str, str], dict[str, float]] = Expiring(clock)
        self.revocations: Expiring[tuple[RevocationKind, str], Revocation] = Expiring(clock)
        self.sessions: Expiring[Digest, Session] = Expiring(clock)
        self.consents: dict[str, dict[str, Consent]] = {}
        self.attempts: Expiring[str, int] = Expiring(clock)
        self.devices: Expiring[Digest, str] = Expiring(clock)
        self.assertions: Expiring[tuple[str, str], None] = Expiring(clock)
        self.announcements: dict[str, str] = {}

    def give(self, authorization: Authorization, ends: float) -> None:
        """Note a family for `withdraw_consent`, and forget those that are over."""
        key = authorization.subject, authorization.client_id
        now = self.now()
        given = {
            family: end for family, end in (self.given.get(key) or {}).items() if now < end
        }  # fmt: skip
        given[authorization.family] = max(ends, given.get(authorization.family, ends))
        self.given.put(key, given, max(given.values()))

    def is_dead(self, authorization: Authorization, born: float) -> bool:
        """Whether a revocation concerns what was authorized at `born`."""
        if self.revocations.get((RevocationKind.FAMILY, authorization.family)) is not None:
            return True
        for kind, value in (
            (RevocationKind.SUBJECT, authorization.subject),
            (RevocationKind.CLIENT, authorization.client_id),
        ):
            revocation = self.revocations.get((kind, value))
            if revocation is not None and born <= revocation.issued:
                return True
        return False

    def revoke(self, kind: RevocationKind, value: str, until: int | None = None) -> None:
        now = self.now()
        if kind is RevocationKind.FAMILY:
            self.families.drop(value)
        known = self.revocations.get((kind, value))
        one_time = kind in {RevocationKind.JTI, RevocationKind.FAMILY, RevocationKind.KEY}
        # Nothing is issued under a revoked jti, family or key, so that the first time counts.
        issued = known.issued if known is not None and one_time else now
        not_after = int(issued + TOKENS_LIVE.total_seconds()) if until is None else until
        kept: float = not_after
        if until is None and not one_time:
            kept = now + GRANTS_LIVE.total_seconds()
        if kept <= now:
            return
        if known is not None:
            not_after = max(not_after, known.not_after)
            kept = max(kept, self.revocations.ends((kind, value)) or kept)
        self.revocations.put((kind, value), Revocation(issued, not_after), kept)
