"""SIGKILL at moments that a seed spreads over what happens: nothing is given twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

from tests.server.process import Site, serving, wait_for
from tests.server.shared_state.pair import (
    Pair,
    assertion,
    granted,
    redemption,
    refreshment,
    settings,
)

_ROUNDS = 12
_AT_ONCE = 8
# Eight signatures of 4096 bits on two cores: the kill falls before, between and after them.
_SPREAD = 0.04


def _soon(kill: Callable[[], None], delay: float) -> Callable[[], asyncio.Future[None]]:
    async def strike() -> None:
        await asyncio.sleep(delay)
        kill()

    return lambda: asyncio.ensure_future(strike())


def test_redis_killed_while_codes_are_redeemed(pair: Pair) -> None:
    """RFC 6749 §4.1.2: at most once, whatever dies."""
    pick = random.Random(1)  # noqa: S311 - not for secrets
    succeeded = 0
    for _ in range(_ROUNDS):
        code = pair.code()
        kill = _soon(pair.redis.kill, pick.uniform(0, _SPREAD))
        given = granted(pair.together([redemption(code)] * _AT_ONCE, kill))
        pair.redis.start()
        wait_for(lambda: pair.redeem("x").status_code == 400)
        given += granted([pair.redeem(code), pair.redeem(code)])
        assert len(given) <= 1
        # It was presented again after it was spent: what it bought is over.
        for answer in given:
            assert pair.refresh(answer.json()["refresh_token"]).json()["error"] == "invalid_grant"
        succeeded += len(given)
    assert succeeded > 0


def test_redis_killed_while_a_token_is_refreshed(pair: Pair) -> None:
    """RFC 9700 §4.14.2: one live branch at most."""
    pick = random.Random(2)  # noqa: S311 - not for secrets
    for _ in range(_ROUNDS):
        first = pair.redeem(pair.code()).json()["refresh_token"]
        kill = _soon(pair.redis.kill, pick.uniform(0, _SPREAD / 2))
        given = granted(pair.together([refreshment(first)] * 2, kill))
        pair.redis.start()
        wait_for(lambda: pair.redeem("x").status_code == 400)
        assert len(given) <= 1
        held = [first, *(answer.json()["refresh_token"] for answer in given)]
        # Whoever holds what: after one more round each, at most one of them goes on.
        assert len(granted([pair.refresh(token) for token in reversed(held)])) <= 1


def test_redis_killed_after_an_assertion_was_used(pair: Pair) -> None:
    """RFC 7523 §3, point 7: what was used stays used."""
    for _ in range(3):
        form = assertion()
        assert pair.together([form])[0].status_code == 200
        pair.redis.kill()
        pair.redis.start()
        wait_for(lambda: pair.redeem("x").status_code == 400)
        assert [answer.status_code for answer in pair.together([form] * 2)] == [401, 401]


def test_a_server_killed_while_a_token_is_refreshed(pair: Pair, tmp_path: Path, site: Site) -> None:
    """RFC 9700 §4.14.2."""
    pick = random.Random(4)  # noqa: S311 - not for secrets
    for number in range(_ROUNDS):
        directory = tmp_path / f"victim-{number}"
        directory.mkdir()
        with serving(directory, site, **settings(pair.redis)) as victim:
            both = Pair(pair.redis, [victim, pair.servers[0]])
            first = pair.redeem(pair.code()).json()["refresh_token"]
            kill = _soon(victim.process.kill, pick.uniform(0, _SPREAD / 2))
            given = granted(both.together([refreshment(first)] * 2, kill))
        assert len(given) <= 1
        held = [first, *(answer.json()["refresh_token"] for answer in given)]
        assert len(granted([pair.refresh(token) for token in reversed(held)])) <= 1


def test_a_server_killed_while_codes_are_redeemed(pair: Pair, tmp_path: Path, site: Site) -> None:
    """RFC 6749 §4.1.2."""
    pick = random.Random(3)  # noqa: S311 - not for secrets
    for number in range(_ROUNDS):
        directory = tmp_path / f"victim-{number}"
        directory.mkdir()
        with serving(directory, site, **settings(pair.redis)) as victim:
            both = Pair(pair.redis, [victim, pair.servers[0]])
            code = both.code()
            kill = _soon(victim.process.kill, pick.uniform(0, _SPREAD))
            given = granted(both.together([redemption(code)] * _AT_ONCE, kill))
        given += granted([pair.redeem(code), pair.redeem(code)])
        # The victim may have spent it without a chance to say so; nobody got it twice.
        assert len(given) <= 1
