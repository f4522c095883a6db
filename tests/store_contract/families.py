"""Families of refresh tokens."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from oauth_server.store.interface import (
    RefreshToken,
    RevocationKind,
    Store,
)
from tests.store_contract.grants import (
    MINUTE,
    NONE,
    Grant,
    begun,
    random_digest,
)


@pytest.mark.anyio
class FamiliesContract:
    async def test_a_refresh_token_is_rotated(self, store: Store) -> None:
        grant = await begun(store)
        secret = grant.first
        for _ in range(5):
            successor = random_digest()
            assert await grant.present(store, secret) == grant.authorization
            assert await grant.rotate(store, secret, successor) == grant.authorization
            secret = successor
        assert await grant.present(store, secret) == grant.authorization

    @pytest.mark.parametrize("step", ["present", "rotate"])
    async def test_a_token_used_again_revokes_its_family(self, store: Store, step: str) -> None:
        """RFC 9700 §4.14.2."""
        grant, second = await begun(store), random_digest()
        await grant.rotate(store, grant.first, second)
        if step == "present":
            assert await grant.present(store, grant.first) == grant.replay
        else:
            assert await grant.rotate(store, grant.first, random_digest()) == grant.replay
        assert await grant.rotate(store, second, random_digest()) is None
        assert await store.is_revoked(grant.identity())

    async def test_a_secret_that_never_was_counts_as_used(self, store: Store) -> None:
        """Only who held a token of the family knows its handle."""
        grant = await begun(store)
        assert await grant.present(store, random_digest()) == grant.replay
        assert await grant.present(store, grant.first) is None

    async def test_a_strangers_guess_has_no_consequence(self, store: Store) -> None:
        grant = await begun(store)
        guess = RefreshToken(grant.family, random_digest(), grant.first)
        client_id = grant.authorization.client_id
        assert await store.present_refresh_token(guess, client_id, grace=NONE) is None
        assert (
            await store.rotate_refresh_token(guess, client_id, random_digest(), grace=NONE) is None
        )
        assert await store.find_refresh_token(guess) is None
        assert await grant.present(store, grant.first) == grant.authorization

    @pytest.mark.parametrize("secret", ["current", "used"])
    async def test_another_clients_token_has_no_consequence(
        self, store: Store, secret: str
    ) -> None:
        grant, second = await begun(store), random_digest()
        await grant.rotate(store, grant.first, second)
        token = grant.token(second if secret == "current" else grant.first)
        assert await store.present_refresh_token(token, "mallory", grace=MINUTE) is None
        assert (
            await store.rotate_refresh_token(token, "mallory", random_digest(), grace=MINUTE)
            is None
        )
        assert await grant.present(store, second) == grant.authorization

    async def test_a_family_ends_and_no_rotation_prolongs_it(self, store: Store) -> None:
        grant, second = Grant(), random_digest()
        await grant.save(store)
        await grant.redeem(store, lifetime=timedelta(seconds=1))
        await asyncio.sleep(0.6)
        assert await grant.rotate(store, grant.first, second) == grant.authorization
        await asyncio.sleep(0.6)
        assert await grant.rotate(store, second, random_digest()) is None

    async def test_a_lost_response_is_forgiven_within_the_grace(self, store: Store) -> None:
        grant, lost, second = await begun(store), random_digest(), random_digest()
        await grant.rotate(store, grant.first, lost)
        assert await grant.present(store, grant.first, MINUTE) == grant.authorization
        assert await grant.rotate(store, grant.first, second, MINUTE) == grant.authorization
        assert await grant.rotate(store, second, random_digest(), MINUTE) == grant.authorization

    async def test_forgiveness_kills_the_branch_that_was_lost(self, store: Store) -> None:
        """Two who hold tokens of one family cannot both go on, grace or none."""
        grant, lost, second = await begun(store), random_digest(), random_digest()
        await grant.rotate(store, grant.first, lost)
        await grant.rotate(store, grant.first, second, MINUTE)
        assert await grant.rotate(store, lost, random_digest(), MINUTE) == grant.replay
        assert await grant.present(store, second, MINUTE) is None

    async def test_the_grace_ends_and_is_not_renewed_by_being_used(self, store: Store) -> None:
        grant, grace = await begun(store), timedelta(seconds=1)
        await grant.rotate(store, grant.first, random_digest())
        await asyncio.sleep(0.6)
        assert await grant.rotate(store, grant.first, random_digest(), grace) == grant.authorization
        await asyncio.sleep(0.6)
        assert await grant.rotate(store, grant.first, random_digest(), grace) == grant.replay

    async def test_only_the_last_token_is_forgiven(self, store: Store) -> None:
        grant, second, third = await begun(store), random_digest(), random_digest()
        await grant.rotate(store, grant.first, second)
        await grant.rotate(store, second, third)
        assert await grant.present(store, second, MINUTE) == grant.authorization
        assert await grant.present(store, grant.first, MINUTE) == grant.replay

    async def test_finding_a_token_tells_its_end_and_revokes_nothing(self, store: Store) -> None:
        grant, second = await begun(store), random_digest()
        found = await store.find_refresh_token(grant.token())
        assert found is not None
        authorization, ends = found
        assert authorization == grant.authorization
        assert ends - time.time() == pytest.approx(60, abs=2)
        await grant.rotate(store, grant.first, second)
        assert await store.find_refresh_token(grant.token()) is None
        assert await store.find_refresh_token(grant.token(second)) == (authorization, ends)

    @pytest.mark.parametrize(
        "kind", [kind for kind in RevocationKind if kind not in {"jti", "key"}]
    )
    async def test_a_revocation_ends_what_it_concerns(
        self, store: Store, kind: RevocationKind
    ) -> None:
        grant, other = await begun(store), await begun(store)
        await store.revoke(kind, grant.value(kind))
        assert await store.find_refresh_token(grant.token()) is None
        assert await grant.present(store, grant.first) is None
        assert await grant.rotate(store, grant.first, random_digest()) is None
        assert await other.rotate(store, other.first, random_digest()) == other.authorization
