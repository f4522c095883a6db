"""What one user lets one client do, for the tests of stores."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta

from oauth_server.models import Authorization
from oauth_server.store.interface import (
    Digest,
    Proof,
    RefreshToken,
    Replay,
    RevocationKind,
    Store,
    TokenIdentity,
)

MINUTE = timedelta(minutes=1)
MOMENT = timedelta(milliseconds=60)
NONE = timedelta(0)


def random_digest() -> Digest:
    return Digest(secrets.token_urlsafe(32))


def random_name(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(6)}"


class Grant:
    """What one user lets one client do, nobody else's in this run."""

    def __init__(self, subject: str | None = None, client_id: str | None = None) -> None:
        self.code = random_digest()
        self.authorization = Authorization(
            family=secrets.token_urlsafe(16),
            client_id=client_id or random_name("client"),
            subject=subject or random_name("user"),
            scope="telemetry:read",
            audience=("https://api.example.com",),
            auth_time=int(time.time()),
        )
        self.proof = Proof(self.authorization.client_id, "https://x.example/cb", random_digest())
        self.handle, self.first = random_digest(), random_digest()
        self.kid = random_name("kid")

    @property
    def family(self) -> str:
        return self.authorization.family

    def token(self, secret: Digest | None = None) -> RefreshToken:
        return RefreshToken(self.family, self.handle, secret or self.first)

    async def save(
        self, store: Store, lifetime: timedelta = MINUTE, remembered: timedelta = MINUTE
    ) -> None:
        await store.save_code(
            self.code, self.proof, self.authorization, lifetime=lifetime, remembered=remembered
        )

    async def redeem(
        self, store: Store, proof: Proof | None = None, lifetime: timedelta = MINUTE
    ) -> Authorization | Replay | None:
        return await store.redeem_code(
            self.code, proof or self.proof, self.token(), lifetime=lifetime
        )

    async def rotate(
        self, store: Store, secret: Digest, successor: Digest, grace: timedelta = NONE
    ) -> Authorization | Replay | None:
        client_id = self.authorization.client_id
        return await store.rotate_refresh_token(
            self.token(secret), client_id, successor, grace=grace
        )

    async def present(
        self, store: Store, secret: Digest, grace: timedelta = NONE
    ) -> Authorization | Replay | None:
        client_id = self.authorization.client_id
        return await store.present_refresh_token(self.token(secret), client_id, grace=grace)

    def identity(self, jti: str = "jti", issued_at: int | None = None) -> TokenIdentity:
        return TokenIdentity(
            jti=jti,
            subject=self.authorization.subject,
            client_id=self.authorization.client_id,
            issued_at=int(time.time()) if issued_at is None else issued_at,
            family=self.family,
            kid=self.kid,
        )

    def value(self, kind: RevocationKind) -> str:
        """What revokes its tokens, of each kind."""
        return {
            RevocationKind.JTI: "jti",
            RevocationKind.FAMILY: self.family,
            RevocationKind.SUBJECT: self.authorization.subject,
            RevocationKind.CLIENT: self.authorization.client_id,
            RevocationKind.KEY: self.kid,
        }[kind]

    @property
    def replay(self) -> Replay:
        return Replay(self.family)


async def begun(store: Store, subject: str | None = None, client_id: str | None = None) -> Grant:
    """A grant whose code is spent and whose family lives."""
    grant = Grant(subject, client_id)
    await grant.save(store)
    assert await grant.redeem(store) == grant.authorization
    return grant
