"""Redis is killed at any moment, and what it had answered is still so when it is back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from oauth_server.errors import UnavailableError
from oauth_server.store.interface import Digest, RevocationKind, Store
from tests.redis.server import Server
from tests.store_contract.grants import NONE, Grant, random_digest, random_name

pytestmark = pytest.mark.anyio

_HOUR = timedelta(hours=1)
_KILLS = 8
_WORKERS = 12


@dataclass
class Witness:
    """What clients were told; None is for no answer."""

    redemptions: list[tuple[Grant, list[object]]] = field(default_factory=list)
    chains: list[tuple[Grant, list[tuple[Digest, object]]]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    unanswered: int = 0

    async def told(self, step: Awaitable[object]) -> object:
        try:
            return await step
        except UnavailableError:
            self.unanswered += 1
            return "no answer"


async def _work(witness: Witness, stores: list[Store], stop: asyncio.Event) -> None:
    """Clients that race, rotate and revoke, and try again what was not answered."""
    generator = random.Random()  # noqa: S311 - not a secret
    while not stop.is_set():
        grant = Grant()
        if await witness.told(grant.save(generator.choice(stores))) is not None:
            await asyncio.sleep(0.005)
            continue
        answers: list[object] = []
        witness.redemptions.append((grant, answers))
        rivals = generator.choice((1, 1, 2))
        answers += await asyncio.gather(
            *(witness.told(grant.redeem(store)) for store in stores[:rivals])
        )
        if answers == [grant.authorization]:
            chain: list[tuple[Digest, object]] = []
            witness.chains.append((grant, chain))
            current, grace = grant.first, generator.choice((NONE, _HOUR))
            for _ in range(generator.randrange(6)):
                successor = random_digest()
                answer = await witness.told(
                    grant.rotate(generator.choice(stores), current, successor, grace)
                )
                chain.append((successor, answer))
                if answer == grant.authorization:
                    current = successor
                elif grace == NONE:
                    break
                else:  # forgiven, it tries again with the token that it has
                    await asyncio.sleep(0.02)
        jti = random_name("jti")
        if await witness.told(stores[0].revoke(RevocationKind.JTI, jti)) is None:
            witness.revoked.append(jti)


async def test_what_was_answered_is_so_after_a_kill(redis: Server) -> None:
    stores: list[Store] = [redis.store(), redis.store()]
    witness = Witness()
    for _ in range(_KILLS):
        stop = asyncio.Event()
        workers = [asyncio.create_task(_work(witness, stores, stop)) for _ in range(_WORKERS)]
        await asyncio.sleep(random.uniform(0.05, 0.4))  # noqa: S311 - not a secret
        redis.kill()
        await asyncio.to_thread(redis.start)
        await asyncio.sleep(0.05)
        stop.set()
        await asyncio.gather(*workers)

    assert witness.unanswered > 0
    assert len(witness.chains) > 50
    for grant, chain in witness.chains:
        await _check_chain(stores[0], grant, chain)
    for grant, answers in witness.redemptions:  # to ask for a spent code ends its family
        await _check_redemption(stores[0], grant, answers)
    for jti in witness.revoked:
        assert await stores[0].is_revoked(Grant().identity(jti))
    for store in stores:
        await store.close()


async def _check_redemption(store: Store, grant: Grant, answers: list[object]) -> None:
    assert answers.count(grant.authorization) <= 1
    again = await store.present_code(grant.code, grant.proof)
    if grant.authorization in answers or grant.replay in answers:
        assert again == grant.replay
    else:
        assert again in (grant.authorization, grant.replay)


async def _check_chain(store: Store, grant: Grant, chain: list[tuple[Digest, object]]) -> None:
    """The last token that a client got is good, unless a rotation may have happened unheard."""
    answers = {answer for _, answer in chain}
    assert answers <= {grant.authorization, "no answer"}
    given = [grant.first]
    for successor, answer in chain:
        given = [successor] if answer == grant.authorization else [*given, successor]
    everything = (grant.first, *(successor for successor, _ in chain))
    live = [
        secret
        for secret in everything
        if await store.find_refresh_token(grant.token(secret)) is not None
    ]
    assert len(live) == 1
    assert live[0] in given
