"""A caller that goes away takes its reply along: none reaches anybody else."""

from __future__ import annotations

import asyncio
import random

import pytest

from oauth_server.errors import UnavailableError
from oauth_server.store.interface import RevocationKind, TokenIdentity
from oauth_server.store.redis import RedisStore
from tests.redis.server import Server
from tests.store_contract.grants import MINUTE, Grant, begun, random_digest

pytestmark = pytest.mark.anyio


async def test_no_reply_crosses_whenever_callers_go_away(redis: Server) -> None:
    """Thousands of calls cancelled at any moment: connecting, sending, waiting for a slot."""
    store, generator = redis.store(), random.Random(3)  # noqa: S311 - not a secret
    devices = [random_digest() for _ in range(50)]
    for number, device in enumerate(devices):
        await store.remember_device(device, f"user-{number}", lifetime=10 * MINUTE)
    checked = cancelled = 0

    async def ask() -> None:
        nonlocal checked
        number = generator.randrange(50)
        if generator.random() < 0.5:
            assert await store.find_device(devices[number]) == f"user-{number}"
        else:
            grant = Grant()
            await grant.save(store)
            assert await store.present_code(grant.code, grant.proof) == grant.authorization
        checked += 1

    while checked < 1000 or cancelled < 1000:
        tasks = [asyncio.create_task(ask()) for _ in range(100)]
        for task in generator.sample(tasks, 60):
            await asyncio.sleep(generator.choice((0, 0, 0, 0.0001, 0.0005)))
            cancelled += task.cancel()
        for answer in await asyncio.gather(*tasks, return_exceptions=True):
            assert answer is None or isinstance(answer, asyncio.CancelledError), answer
    await _still_whole(store, redis)


async def test_a_call_that_took_too_long_leaves_no_reply_behind(redis: Server) -> None:
    """Redis answers it later, and nobody is there to mistake it for theirs."""
    store = redis.store()
    device = random_digest()
    await store.remember_device(device, "alice", lifetime=MINUTE)
    with redis.examine() as client:
        for _ in range(2):
            client.execute_command("CLIENT", "PAUSE", 1300, "ALL")
            answers = await asyncio.gather(
                *(store.find_session(random_digest()) for _ in range(40)), return_exceptions=True
            )
            assert all(isinstance(answer, UnavailableError) for answer in answers)
            await asyncio.sleep(0.4)
            found = await asyncio.gather(*(store.find_device(device) for _ in range(80)))
            assert found == ["alice"] * 80
    await _still_whole(store, redis)


async def test_a_redemption_given_up_is_whole_or_has_not_been(shared: Server) -> None:
    store = shared.store()
    outcomes = set()
    for number in range(300):
        grant = Grant()
        await grant.save(store)
        task = asyncio.create_task(grant.redeem(store))
        for _ in range(number % 12):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        family_lives = await store.find_refresh_token(grant.token()) is not None
        answer = await store.present_code(grant.code, grant.proof)
        assert answer == (grant.replay if family_lives else grant.authorization)
        outcomes.add(family_lives)
    assert outcomes == {True, False}
    await store.close()


async def test_a_revocation_given_up_can_be_asked_for_again(shared: Server) -> None:
    store = shared.store()
    for number in range(100):
        grant = await begun(store)
        task = asyncio.create_task(store.revoke(RevocationKind.FAMILY, grant.family))
        for _ in range(number % 8):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await store.revoke(RevocationKind.FAMILY, grant.family)
        assert await store.is_revoked(TokenIdentity("jti", "", "", 0, grant.family))
    await store.close()


async def _still_whole(store: RedisStore, redis: Server) -> None:
    """Neither slots nor connections have been lost."""
    await asyncio.gather(*(store.ping() for _ in range(200)))
    assert _connections(redis) <= 32
    await store.close()
    await asyncio.sleep(0.1)
    assert _connections(redis) == 0


def _connections(redis: Server) -> int:
    with redis.examine() as client:
        return sum(entry["user"] == "oauth_server" for entry in client.client_list())
