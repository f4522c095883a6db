"""The keys of a fleet's other hosts, as far as they are to be believed: what this host publishes.

What was believed once is published until the same host says something newer, however long it is
away; a host that left the fleet is published until its last token has expired.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from oauth_server.fleet import statement
from oauth_server.fleet.members import Fleet, Member
from oauth_server.fleet.record import Record
from oauth_server.fleet.statement import Statement, StatementError
from oauth_server.keys.entry import moment
from oauth_server.keys.jose import PublicKey

REPLAYED = "sequence"
"""Why a statement is not believed that is not newer than the one before: no alarm, if it is it."""


class Union:
    """`records` are by identity (its thumbprint): a host made anew is another one.

    Nothing here waits or asks a clock.
    """

    def __init__(self, issuer: str, records: Mapping[str, Record], leeway: timedelta) -> None:
        self._issuer = issuer
        self._records = dict(records)
        self._leeway = leeway
        self._members: Mapping[str, Member] = {}

    @property
    def records(self) -> Mapping[str, Record]:
        """What is to be remembered."""
        return self._records

    @property
    def members(self) -> Sequence[Member]:
        return tuple(self._members.values())

    def pin(self, fleet: Fleet | None, now: datetime) -> None:
        """Who belongs to the fleet from now on, and what the deploy saw of them."""
        others = () if fleet is None else fleet.others
        self._members = {member.identity.thumbprint: member for member in others}
        for known_by, record in self._records.items():
            if known_by not in self._members and record.departed is None:
                self._records[known_by] = record.left(moment(now))
        for known_by, member in self._members.items():
            old = self._records.get(known_by)
            if member.keys and (old is None or member.as_of > old.sequence):
                serves = () if old is None else old.serves
                keys = self._undisputed(known_by, member.keys)
                self._records[known_by] = Record(member.host, member.as_of, keys, serves)
            elif old is not None and old.departed is not None:
                self._records[known_by] = old.returned(member.host)

    def offer(self, host: str, text: str, now: datetime) -> bool:
        """Whether a statement said something new. Raises StatementError for one not to believe.

        One that was believed before is neither.
        """
        member = next((known for known in self.members if known.host == host), None)
        if member is None:
            raise StatementError("host")
        known_by = member.identity.thumbprint
        old = self._records.get(known_by)
        try:
            said = self._read(member, text, now)
        except StatementError as error:
            if error.reason != "expired" or old is None:
                raise
            return self._forget_what_is_gone(known_by, old, self._read(member, text, None))
        if old is not None and said.sequence <= old.sequence:
            if said.sequence == old.sequence:
                return False
            raise StatementError(REPLAYED)
        keys = self._undisputed(known_by, said.keys)
        self._records[known_by] = Record(host, said.sequence, keys, said.serves)
        return True

    def _read(self, member: Member, text: str, now: datetime | None) -> Statement:
        return statement.read(
            text, member.identity, host=member.host, issuer=self._issuer, now=now,
            leeway=self._leeway,
        )  # fmt: skip

    def _forget_what_is_gone(self, known_by: str, old: Record, said: Statement) -> bool:
        """What a host said last before it went away, if this one was away, too.

        It is old enough to be played back by somebody, and so adds no key. But one that it lacks
        was removed, perhaps in an emergency, and the host is not there to say so again.
        """
        if said.sequence <= old.sequence:
            return False
        kept = {key.kid for key in said.keys}
        keys = tuple(key for key in old.keys if key.kid in kept)
        self._records[known_by] = replace(old, sequence=said.sequence, keys=keys)
        return len(keys) < len(old.keys)

    def _undisputed(self, known_by: str, keys: Sequence[PublicKey]) -> Sequence[PublicKey]:
        """Without those that another host named before, for another algorithm (RFC 8725 §3.1).

        A member that was broken into would have its neighbour's tokens refused otherwise: RS256
        and PS256 keys have the same name. The same key for the same algorithm does no harm, and
        is what a host with a new identity says.
        """
        taken = {
            key.kid: key.algorithm
            for other, record in self._records.items()
            if other != known_by
            for key in record.keys
        }
        return tuple(key for key in keys if taken.get(key.kid, key.algorithm) is key.algorithm)

    def expire(self, now: datetime, grace: timedelta) -> None:
        """Forget who left the fleet that long ago."""
        for known_by, record in list(self._records.items()):
            if record.departed is not None and record.departed + grace <= now:
                del self._records[known_by]

    def published(self, own: Collection[str], banned: Collection[str] = ()) -> Sequence[PublicKey]:
        """All keys of others but `own` ones, and those that were removed here in an emergency.

        An identity signs statements and nothing else: whoever announces one, it is no key.
        """
        barred = {*own, *banned, *self._members}
        found: dict[str, PublicKey] = {}
        for _, record in sorted(self._records.items()):
            for key in record.keys:
                if key.kid not in barred:
                    found.setdefault(key.kid, key)
        return tuple(found.values())

    def serves(self) -> Mapping[str, Collection[str]]:
        """What each other member says it publishes (statement.named); nothing, if it is silent."""
        return {
            member.host: record.serves if (record := self._records.get(known_by)) else ()
            for known_by, member in self._members.items()
        }

    def heard(self) -> Iterator[tuple[str, float]]:
        """When each member said what is known, in seconds since the epoch; 0 if it never did."""
        for known_by, member in self._members.items():
            record = self._records.get(known_by)
            yield member.host, (record.sequence / 1000 if record else 0.0)
