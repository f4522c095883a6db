"""What may be done so many times: attempts, and assertions once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from oauth_server.store.interface import (
    Limit,
    Store,
)
from tests.store_contract.grants import (
    MINUTE,
    MOMENT,
    NONE,
    random_digest,
    random_name,
)


@pytest.mark.anyio
class ThrottlesContract:
    async def test_a_limit_is_reached_and_passes(self, store: Store) -> None:
        limits = [Limit(random_name("user"), 2, timedelta(milliseconds=200))]
        assert [await store.attempt(limits) for _ in range(2)] == [None, None]
        wait = await store.attempt(limits)
        assert wait is not None
        assert NONE < wait <= timedelta(milliseconds=200)
        await asyncio.sleep(0.25)
        assert await store.attempt(limits) is None

    async def test_the_window_begins_with_the_first_attempt(self, store: Store) -> None:
        """Who keeps trying cannot lock somebody out for longer by it."""
        limits = [Limit(random_name("user"), 2, timedelta(milliseconds=300))]
        await store.attempt(limits)
        await asyncio.sleep(0.15)
        await store.attempt(limits)
        for _ in range(5):
            wait = await store.attempt(limits)
            assert wait is not None
            assert wait <= timedelta(milliseconds=160)

    async def test_of_two_limits_the_longer_wait_counts_and_neither_is_used(
        self, store: Store
    ) -> None:
        user = Limit(random_name("user"), 1, MINUTE)
        address = Limit(random_name("address"), 3, timedelta(hours=1))
        assert await store.attempt([user, address]) is None
        for _ in range(5):
            wait = await store.attempt([user, address])
            assert wait is not None
            assert wait <= MINUTE
        assert [await store.attempt([address]) for _ in range(2)] == [None, None]
        longer = await store.attempt([user, address])
        assert longer is not None
        assert longer > MINUTE

    async def test_a_success_takes_its_attempt_back(self, store: Store) -> None:
        limits = [Limit(random_name("user"), 2, MINUTE), Limit(random_name("address"), 2, MINUTE)]
        for _ in range(5):
            assert await store.attempt(limits) is None
            await store.forgive(limits)
        assert [await store.attempt(limits) for _ in range(2)] == [None, None]
        assert await store.attempt(limits) is not None

    async def test_a_success_takes_back_no_more_than_its_own_attempt(self, store: Store) -> None:
        limits = [Limit(random_name("user"), 3, MINUTE)]
        assert [await store.attempt(limits) for _ in range(3)] == [None] * 3
        await store.forgive(limits)
        assert await store.attempt(limits) is None
        assert await store.attempt(limits) is not None

    async def test_forgiving_what_was_not_tried_gives_no_credit(self, store: Store) -> None:
        limits = [Limit(random_name("user"), 1, MINUTE)]
        for _ in range(3):
            await store.forgive(limits)
        assert await store.attempt(limits) is None
        assert await store.attempt(limits) is not None

    async def test_a_browser_is_known_for_a_while(self, store: Store) -> None:
        device, short = random_digest(), random_digest()
        assert await store.find_device(device) is None
        await store.remember_device(device, "alice", lifetime=MINUTE)
        await store.remember_device(short, "alice", lifetime=MOMENT)
        assert await store.find_device(device) == "alice"
        await asyncio.sleep(0.1)
        assert await store.find_device(short) is None


@pytest.mark.anyio
class AssertionsContract:
    async def test_an_assertion_is_used_once_by_each_client(self, store: Store) -> None:
        """RFC 7523 §3, point 7."""
        client_id, jti = random_name("client"), random_name("jti")
        assert await store.use_assertion(client_id, jti, lifetime=MINUTE)
        assert not await store.use_assertion(client_id, jti, lifetime=MINUTE)
        assert await store.use_assertion(client_id + jti[:1], jti[1:], lifetime=MINUTE)
        assert await store.use_assertion(random_name("client"), jti, lifetime=MINUTE)

    async def test_an_assertion_is_forgotten_once_it_has_expired(self, store: Store) -> None:
        client_id, jti = random_name("client"), random_name("jti")
        assert await store.use_assertion(client_id, jti, lifetime=MOMENT)
        await asyncio.sleep(0.1)
        assert await store.use_assertion(client_id, jti, lifetime=MINUTE)

    async def test_a_jti_of_any_content_and_length_is_one(self, store: Store) -> None:
        client_id = random_name("client")
        for jti in ("", "\r\n", "\0", "\u2028", "ä" * 8000, "{}", "a b"):
            assert await store.use_assertion(client_id, jti, lifetime=MINUTE)
            assert not await store.use_assertion(client_id, jti, lifetime=MINUTE)
