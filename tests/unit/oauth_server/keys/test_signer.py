from __future__ import annotations

import asyncio
import itertools
import math
import threading

import pytest

from oauth_server.errors import UnavailableError
from oauth_server.keys.jose import PrivateKey
from oauth_server.keys.room import LASTING_QUEUE_PER_PLACE, QUEUE_PER_PLACE
from oauth_server.keys.signer import FileSigner


class HeldKey:
    """Signs when it is let."""

    quick = False

    def __init__(self) -> None:
        self.go = threading.Event()
        self.signed: list[bytes] = []

    def signing_input(self, typ: str, claims: dict[str, object]) -> bytes:
        return f"{typ}.{claims['n']}".encode()

    def signature(self, signing_input: bytes) -> bytes:
        assert self.go.wait(30)
        self.signed.append(signing_input)
        return b"ok"


class QuickKey(HeldKey):
    quick = True

    def signature(self, signing_input: bytes) -> bytes:
        self.signer = threading.current_thread()
        self.signed.append(signing_input)
        return b"ok"


class BrokenKey(HeldKey):
    def signature(self, signing_input: bytes) -> bytes:
        raise RuntimeError(f"pulled out before {signing_input!r}")


def test_what_the_pool_signs_is_what_the_key_signs(key: PrivateKey) -> None:
    signer = FileSigner(key)
    token = asyncio.run(signer.sign("at+jwt", {"sub": "x"}))
    signer.close()
    assert token == key.sign("at+jwt", {"sub": "x"})


def test_a_quick_key_signs_without_a_thread() -> None:
    key = QuickKey()
    before = threading.active_count()
    signer = FileSigner(key)
    assert threading.active_count() == before
    assert asyncio.run(signer.sign("t", {"n": 1})) == "t.1.b2s"
    assert key.signer is threading.main_thread()
    signer.close()


def test_who_asked_hears_of_a_failure_and_the_next_is_served() -> None:
    signer = FileSigner(BrokenKey(), threads=1)

    async def ask_twice() -> None:
        for _ in range(20):
            with pytest.raises(RuntimeError, match="pulled out"):
                await signer.sign("t", {"n": 1})
        assert signer.pending == 0

    asyncio.run(ask_twice())
    signer.close()


def test_each_signature_is_observed(key: PrivateKey) -> None:
    seen: list[tuple[float, float]] = []
    signer = FileSigner(key, threads=1, observe=lambda *times: seen.append(times))

    async def many() -> None:
        await asyncio.gather(*(signer.sign("t", {}) for _ in range(QUEUE_PER_PLACE)))

    asyncio.run(many())
    signer.close()
    assert len(seen) == QUEUE_PER_PLACE
    assert all(took > 0 for _, took in seen)
    assert seen[-1][0] > seen[-1][1]  # the last one waited for the others


def test_the_surplus_is_told_at_once_and_the_rest_is_signed() -> None:
    key = HeldKey()
    signer = FileSigner(key, threads=2)

    async def many() -> list[str | BaseException]:
        asked = [
            asyncio.create_task(signer.sign("t", {"n": n})) for n in range(2 * QUEUE_PER_PLACE + 4)
        ]
        refused, _ = await asyncio.wait(asked, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        assert len(refused) == 4
        key.go.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    results = asyncio.run(many())
    signer.close()
    assert results[:-4] == [f"t.{n}.b2s" for n in range(2 * QUEUE_PER_PLACE)]
    assert all(isinstance(result, UnavailableError) for result in results[-4:])


def test_a_lasting_surplus_may_wait_for_less_than_a_burst() -> None:
    key, now = HeldKey(), [0.0]
    signer = FileSigner(key, threads=1, clock=lambda: now[0])

    async def accepted() -> int:
        key.go.clear()
        asked = [
            asyncio.create_task(signer.sign("t", {"n": n})) for n in range(QUEUE_PER_PLACE + 1)
        ]
        await asyncio.sleep(0)
        key.go.set()
        results = await asyncio.gather(*asked, return_exceptions=True)
        return sum(isinstance(result, str) for result in results)

    async def burst_and_surplus() -> list[int]:
        found = []
        for now[0] in (0.0, 0.5, 1.4, 2.5):  # the third within a moment of the second
            found.append(await accepted())
        return found

    burst, surplus = QUEUE_PER_PLACE, math.ceil(LASTING_QUEUE_PER_PLACE)
    assert asyncio.run(burst_and_surplus()) == [burst, surplus, surplus, burst]
    signer.close()


def test_a_request_that_went_away_keeps_its_place_until_the_thread_is_free() -> None:
    """Otherwise who connects and leaves again could fill the queue past its bound."""
    key = HeldKey()
    ticks = itertools.count(step=10)  # no moment lasts
    signer = FileSigner(key, threads=1, clock=lambda: next(ticks))

    async def leave_and_ask() -> str:
        asked = [asyncio.create_task(signer.sign("t", {"n": n})) for n in range(QUEUE_PER_PLACE)]
        await asyncio.sleep(0.05)
        asked[0].cancel()  # runs already
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError):
            await signer.sign("t", {"n": 8})
        asked[1].cancel()  # still waits: its place is free at once
        await asyncio.sleep(0)
        again = asyncio.create_task(signer.sign("t", {"n": 9}))
        await asyncio.sleep(0)
        key.go.set()
        return await again

    assert asyncio.run(leave_and_ask()) == "t.9.b2s"
    signer.close()
    assert b"t.1" not in key.signed  # nobody waited for it any more


def test_nothing_that_is_finished_is_forgotten_when_the_rest_goes_away(key: PrivateKey) -> None:
    """Signatures are handed over a few at a time: the last few must not wait for more."""
    ticks = itertools.count(step=10)  # no moment lasts
    signer = FileSigner(key, threads=2, clock=lambda: next(ticks))

    async def some_leave() -> None:
        for leaving in range(2 * QUEUE_PER_PLACE):
            asked = [asyncio.create_task(signer.sign("t", {})) for _ in range(2 * QUEUE_PER_PLACE)]
            await asyncio.sleep(0)
            for task in asked[leaving:]:
                task.cancel()
            await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 5)
        for _ in range(500):  # who left while theirs was made holds a place until it is
            if signer.pending == 0:
                break
            await asyncio.sleep(0.01)
        assert signer.pending == 0

    asyncio.run(some_leave())
    signer.close()
