"""Hosts of a fleet, as one of them sees the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from oauth_server.fleet import statement
from oauth_server.fleet.members import Member
from oauth_server.fleet.statement import Statement
from oauth_server.keys.jose import PrivateKey, PublicKey
from oauth_server.models import Algorithm

ISSUER = "https://auth.example.com"
NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


def key(algorithm: Algorithm = Algorithm.EDDSA) -> PublicKey:
    return PrivateKey.generate(algorithm).public


@dataclass
class Host:
    name: str
    identity: PrivateKey = field(default_factory=lambda: PrivateKey.generate(Algorithm.EDDSA))
    keys: list[PublicKey] = field(default_factory=lambda: [key(), key()])

    def says(self, at: datetime = NOW, issuer: str = ISSUER, serves: tuple[str, ...] = ()) -> str:
        said = Statement(
            self.name, issuer, statement.sequence(at), int(at.timestamp()), self.keys,
            {*serves, *self.kids},
        )  # fmt: skip
        return statement.sign(self.identity, said)

    def member(self, keys: tuple[PublicKey, ...] = (), as_of: datetime | None = None) -> Member:
        return Member(
            self.name,
            self.identity.public,
            keys=keys,
            as_of=0 if as_of is None else statement.sequence(as_of),
        )

    @property
    def kids(self) -> set[str]:
        return {public.kid for public in self.keys}
