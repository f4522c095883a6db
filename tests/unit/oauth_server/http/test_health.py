from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from oauth_server.errors import UnavailableError
from oauth_server.http import exchange
from oauth_server.http.exchange import Exchange
from oauth_server.http.health import ReadyEndpoint


class CountingStore:
    def __init__(self) -> None:
        self.pings = 0
        self.up = True

    async def ping(self) -> None:
        self.pings += 1
        await asyncio.sleep(0)
        if not self.up:
            raise UnavailableError("The store does not answer.", reason="store_down")


class CountingSigner:
    def __init__(self) -> None:
        self.signatures = 0
        self.full = False
        self.fault: Exception | None = None

    async def sign(self, typ: str, claims: dict[str, object]) -> str:
        self.signatures += 1
        if self.full:
            raise UnavailableError("The server is busy.", reason="sign_queue_full")
        if self.fault is not None:
            raise self.fault
        return f"{typ}{claims}"


class Fixture:
    def __init__(self) -> None:
        self.store, self.signer, self.now = CountingStore(), CountingSigner(), 100.0
        self.endpoint = ReadyEndpoint(self.store, self.signer, clock=lambda: self.now)

    async def ask(self) -> int:
        request = Request({"type": "http", "app": Starlette()})
        exchange.attach(request.scope, Exchange(""))
        try:
            return (await self.endpoint(request)).status_code
        except UnavailableError as error:
            return error.code.status


def test_who_asks_at_once_shares_one_check() -> None:
    """A signature is dear, and anybody may ask."""

    async def many(fixture: Fixture) -> list[int]:
        return await asyncio.gather(*(fixture.ask() for _ in range(100)))

    fixture = Fixture()
    assert set(asyncio.run(many(fixture))) == {200}
    assert (fixture.store.pings, fixture.signer.signatures) == (1, 1)


def test_an_answer_is_a_second_old_at_most() -> None:
    async def over_time(fixture: Fixture) -> list[int]:
        answers = [await fixture.ask()]
        fixture.store.up = False
        fixture.now += 0.9
        answers.append(await fixture.ask())
        fixture.now += 0.1
        answers.append(await fixture.ask())
        fixture.store.up = True
        answers.append(await fixture.ask())
        fixture.now += 1
        answers.append(await fixture.ask())
        return answers

    assert asyncio.run(over_time(Fixture())) == [200, 200, 503, 503, 200]


def test_a_server_that_cannot_sign_is_not_ready() -> None:
    fixture = Fixture()
    fixture.signer.full = True
    assert asyncio.run(fixture.ask()) == 503


def test_a_key_that_fails_is_tried_once_a_second_and_told_to_the_journal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As a token that was pulled out: nobody foresaw the error, and it must not cost more."""

    async def many(fixture: Fixture) -> list[int]:
        return [await fixture.ask() for _ in range(10)]

    fixture = Fixture()
    fixture.signer.fault = RuntimeError("pulled out")
    assert asyncio.run(many(fixture)) == [503] * 10
    assert fixture.signer.signatures == 1
    assert "RuntimeError: pulled out" in caplog.text
