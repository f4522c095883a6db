"""Of those who come at once one wins."""

from __future__ import annotations

import asyncio

from oauth_server.store.interface import (
    Limit,
    Store,
)
from tests.store_contract.grants import (
    MINUTE,
    Grant,
    begun,
    random_digest,
    random_name,
)


class RaceContract:
    """Of those who come at once one wins, however many there are."""

    async def test_one_of_many_redemptions_wins(self, store: Store) -> None:
        grant = Grant()
        await grant.save(store)
        answers = await asyncio.gather(*(grant.redeem(store) for _ in range(50)))
        assert answers.count(grant.authorization) == 1
        assert answers.count(grant.replay) == 49
        assert await store.find_refresh_token(grant.token()) is None

    async def test_one_of_many_rotations_wins_and_then_nobody(self, store: Store) -> None:
        grant, successors = await begun(store), [random_digest() for _ in range(50)]
        answers = await asyncio.gather(
            *(grant.rotate(store, grant.first, successor) for successor in successors)
        )
        assert answers.count(grant.authorization) == 1
        assert grant.replay in answers
        for secret in (grant.first, *successors):
            assert await store.find_refresh_token(grant.token(secret)) is None

    async def test_of_many_forgiven_rotations_one_branch_lives(self, store: Store) -> None:
        grant, successors = await begun(store), [random_digest() for _ in range(50)]
        answers = await asyncio.gather(
            *(grant.rotate(store, grant.first, successor, MINUTE) for successor in successors)
        )
        assert answers == [grant.authorization] * 50
        live = [await store.find_refresh_token(grant.token(secret)) for secret in successors]
        assert sum(found is not None for found in live) == 1

    async def test_one_of_many_uses_of_an_assertion_wins(self, store: Store) -> None:
        jti = random_name("jti")
        answers = await asyncio.gather(
            *(store.use_assertion("client", jti, lifetime=MINUTE) for _ in range(50))
        )
        assert answers.count(True) == 1

    async def test_no_more_attempts_go_on_than_the_limit(self, store: Store) -> None:
        limits = [Limit(random_name("user"), 5, MINUTE)]
        answers = await asyncio.gather(*(store.attempt(limits) for _ in range(50)))
        assert answers.count(None) == 5
