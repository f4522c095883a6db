from __future__ import annotations

from datetime import timedelta

import pytest

from oauth_server.store.interface import Limit, RevocationKind, Session
from oauth_server.store.memory import MemoryStore
from oauth_server.store.memory.expiring import Expiring
from tests.store_contract.grants import MINUTE, Grant, random_digest
from tests.store_contract.whole import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_what_is_put_again_and_again_takes_no_more_room() -> None:
    clock = Clock()
    mapping: Expiring[str, int] = Expiring(clock)
    for number in range(10_000):
        clock.now += 0.001
        mapping.put("key", number, clock.now + 3600)
    assert len(mapping) == 1
    assert mapping.get("key") == 9_999
    assert len(mapping._ends) < 200


def test_a_shorter_end_counts_and_a_longer_one_too() -> None:
    clock = Clock()
    mapping: Expiring[str, int] = Expiring(clock)
    mapping.put("shorter", 1, clock.now + 100)
    mapping.put("shorter", 2, clock.now + 10)
    mapping.put("longer", 1, clock.now + 10)
    mapping.put("longer", 2, clock.now + 100)
    clock.now += 50
    assert mapping.get("shorter") is None
    assert mapping.get("longer") == 2


@pytest.mark.anyio
async def test_what_is_over_leaves_nothing_behind() -> None:
    """Whatever came in a day, what is alive takes up the room."""
    clock = Clock()
    store = MemoryStore(clock)
    for number in range(2_000):
        clock.now += 120
        grant = Grant("alice", "app")
        await grant.save(store)
        await grant.redeem(store)
        await store.revoke(RevocationKind.JTI, f"{number}", until=int(clock.now) + 60)
        session = Session(subject="alice", auth_time=1, credential="x")
        await store.open_session(random_digest(), session, lifetime=MINUTE)
        await store.use_assertion("app", f"{number}", lifetime=MINUTE)
        await store.remember_device(random_digest(), "alice", lifetime=MINUTE)
        await store.attempt([Limit(f"{number}", 1, timedelta(seconds=9))])
    held = [len(part) for part in vars(store._state).values() if isinstance(part, Expiring)]
    assert max(held) <= 2
    assert len(store._state.given.get(("alice", "app")) or ()) == 1
