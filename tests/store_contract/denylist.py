"""What is revoked, and for how long that is known."""

from __future__ import annotations

import asyncio
import time

import pytest

from oauth_server.store.interface import (
    RevocationKind,
    Store,
)
from tests.store_contract.grants import (
    Grant,
    begun,
    random_name,
)


@pytest.mark.anyio
class DenylistContract:
    @pytest.mark.parametrize("kind", list(RevocationKind))
    async def test_what_is_revoked_is_known_by_each_of_its_names(
        self, store: Store, kind: RevocationKind
    ) -> None:
        grant, other, jti = Grant(), Grant(), random_name("jti")
        token = grant.identity(jti)
        assert not await store.is_revoked(token)
        await store.revoke(kind, jti if kind is RevocationKind.JTI else grant.value(kind))
        assert await store.is_revoked(token)
        assert not await store.is_revoked(other.identity(random_name("jti")))

    @pytest.mark.parametrize("kind", [RevocationKind.SUBJECT, RevocationKind.CLIENT])
    async def test_a_name_is_revoked_up_to_now(self, store: Store, kind: RevocationKind) -> None:
        grant, now = Grant(), int(time.time())
        await store.revoke(kind, grant.value(kind))
        assert await store.is_revoked(grant.identity(issued_at=now - 100))
        assert not await store.is_revoked(grant.identity(issued_at=now + 2))

    async def test_the_second_of_a_revocation_counts_as_before_it(self, store: Store) -> None:
        grant = Grant()
        before = int(time.time())
        await store.revoke(RevocationKind.SUBJECT, grant.authorization.subject)
        assert await store.is_revoked(grant.identity(issued_at=before))

    async def test_a_name_is_revoked_anew_for_what_came_since(self, store: Store) -> None:
        subject = random_name("user")
        await store.revoke(RevocationKind.SUBJECT, subject)
        await asyncio.sleep(0.002)
        grant = await begun(store, subject)
        await asyncio.sleep(0.002)
        await store.revoke(RevocationKind.SUBJECT, subject)
        assert await store.find_refresh_token(grant.token()) is None

    async def test_a_client_is_not_a_subject_of_the_same_name(self, store: Store) -> None:
        grant = Grant()
        await store.revoke(RevocationKind.CLIENT, grant.authorization.subject)
        await store.revoke(RevocationKind.JTI, grant.family)
        assert not await store.is_revoked(grant.identity())

    async def test_a_revocation_is_forgotten_when_nothing_is_left_to_revoke(
        self, store: Store
    ) -> None:
        grant, jti = Grant(), random_name("jti")
        await store.revoke(RevocationKind.JTI, jti, until=int(time.time()) + 1)
        assert await store.is_revoked(grant.identity(jti))
        await asyncio.sleep(1.1)
        assert not await store.is_revoked(grant.identity(jti))

    async def test_what_has_expired_need_not_be_revoked(self, store: Store) -> None:
        grant, jti = Grant(), random_name("jti")
        await store.revoke(RevocationKind.JTI, jti, until=int(time.time()) - 5)
        assert not await store.is_revoked(grant.identity(jti))

    async def test_an_ended_family_is_dead_whatever_its_revocation_says(self, store: Store) -> None:
        grant = await begun(store)
        await store.revoke(RevocationKind.FAMILY, grant.family, until=int(time.time()) - 5)
        assert await store.find_refresh_token(grant.token()) is None

    async def test_a_short_revocation_of_a_name_does_not_end_a_long_one(self, store: Store) -> None:
        grant = await begun(store)
        await store.revoke(RevocationKind.SUBJECT, grant.authorization.subject)
        end = int(time.time()) + 1
        await store.revoke(RevocationKind.SUBJECT, grant.authorization.subject, until=end)
        await asyncio.sleep(1.1)
        assert await store.find_refresh_token(grant.token()) is None
        assert await store.is_revoked(grant.identity(issued_at=0))

    async def test_the_longer_of_two_revocations_counts(self, store: Store) -> None:
        grant, jti, now = Grant(), random_name("jti"), int(time.time())
        await store.revoke(RevocationKind.JTI, jti, until=now + 60)
        await store.revoke(RevocationKind.JTI, jti, until=now + 1)
        await asyncio.sleep(1.1)
        assert await store.is_revoked(grant.identity(jti))
