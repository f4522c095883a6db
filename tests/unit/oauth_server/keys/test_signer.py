from __future__ import annotations

import asyncio
import threading

import pytest

from oauth_server.errors import UnavailableError
from oauth_server.keys.jose import PrivateKey
from oauth_server.keys.signer import ThreadPoolSigner


class HeldKey(PrivateKey):
    """Signs when it is let."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def sign(self, typ: str, claims: dict[str, object]) -> str:
        assert self.go.wait(30)
        return f"{typ}.{claims['n']}"


def test_what_the_pool_signs_is_what_the_key_signs(key: PrivateKey) -> None:
    signer = ThreadPoolSigner(key)
    token = asyncio.run(signer.sign("at+jwt", {"sub": "x"}))
    signer.close()
    assert token == key.sign("at+jwt", {"sub": "x"})


def test_the_surplus_is_told_at_once_and_the_rest_is_signed() -> None:
    key = HeldKey()
    signer = ThreadPoolSigner(key, threads=2)

    async def many() -> list[str | BaseException]:
        asked = [asyncio.create_task(signer.sign("t", {"n": n})) for n in range(20)]
        refused, _ = await asyncio.wait(asked, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        assert len(refused) == 4
        key.go.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    results = asyncio.run(many())
    signer.close()
    assert results[:16] == [f"t.{n}" for n in range(16)]
    assert all(isinstance(result, UnavailableError) for result in results[16:])


def test_a_request_that_went_away_keeps_its_place_until_the_thread_is_free() -> None:
    """Otherwise who connects and leaves again could fill the queue past its bound."""
    key = HeldKey()
    signer = ThreadPoolSigner(key, threads=1)

    async def leave_and_ask() -> str:
        asked = [asyncio.create_task(signer.sign("t", {"n": n})) for n in range(8)]
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

    assert asyncio.run(leave_and_ask()) == "t.9"
    signer.close()
