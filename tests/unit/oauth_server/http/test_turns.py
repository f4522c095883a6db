from __future__ import annotations

import asyncio
from collections.abc import Callable

from oauth_server.http.turns import Turns


def served(ask: Callable[[Turns, Callable[[str], Callable[[], bool]]], None]) -> list[list[str]]:
    """Who was served in each go of an event loop, the first one within `ask` itself."""
    goes: list[list[str]] = [[]]

    def serving(who: str) -> Callable[[], bool]:
        def begin() -> bool:
            goes[-1].append(who)
            return "gone" not in who

        return begin

    async def run() -> None:
        turns = Turns()
        ask(turns, serving)
        while goes[-1] or len(goes) < 2:
            goes.append([])
            await asyncio.sleep(0)

    asyncio.run(run())
    return [go for go in goes if go]


def test_where_few_ask_nobody_waits() -> None:
    def ask(turns: Turns, serving: Callable[[str], Callable[[], bool]]) -> None:
        for number in range(8):
            turns.ask("a", serving(f"a{number}"))

    assert served(ask) == [[f"a{number}" for number in range(8)]]


def test_who_asks_once_does_not_wait_behind_who_asks_a_thousand_times() -> None:
    def ask(turns: Turns, serving: Callable[[str], Callable[[], bool]]) -> None:
        for number in range(1000):
            turns.ask("a", serving(f"a{number}"))
        turns.ask("b", serving("b"))

    goes = served(ask)
    assert "b" in goes[1]
    assert [len(go) for go in goes[:-1]] == [8] * (len(goes) - 1)
    assert sum(map(len, goes)) == 1001


def test_sources_take_turns() -> None:
    def ask(turns: Turns, serving: Callable[[str], Callable[[], bool]]) -> None:
        for source in "abc":
            for number in range(20):
                turns.ask(source, serving(f"{source}{number}"))

    assert served(ask)[1] == ["a8", "b0", "c0", "a9", "b1", "c1", "a10", "b2"]


def test_who_has_left_costs_nobody_a_turn() -> None:
    def ask(turns: Turns, serving: Callable[[str], Callable[[], bool]]) -> None:
        for number in range(50):
            turns.ask("a", serving(f"gone{number}"))
        turns.ask("a", serving("there"))

    assert [go[-1] for go in served(ask)] == ["there"]


def test_all_are_served_also_who_asks_while_others_wait() -> None:
    def ask(turns: Turns, serving: Callable[[str], Callable[[], bool]]) -> None:
        for number in range(30):
            turns.ask("a", serving(f"a{number}"))
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, lambda: turns.ask("b", serving("b")))

    everybody = [who for go in served(ask) for who in go]
    assert sorted(everybody) == sorted([*(f"a{number}" for number in range(30)), "b"])
    assert everybody.index("b") < 30
