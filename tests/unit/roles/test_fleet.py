"""Which of a fleet's servers may sign from their first day on."""

from __future__ import annotations

import pytest

from roles.oauth_server.fleet import Standing, StandingOfHost, joining

NEW, FIRST, SERVES = Standing(), Standing(signs=True), Standing(served=True, signs=True)
WAITS = Standing(served=True)


@pytest.mark.parametrize(
    ("standings", "expected"),
    [
        ({"a": NEW, "b": NEW}, set()),
        ({"a": FIRST, "b": NEW}, set()),
        ({"a": SERVES, "b": NEW}, {"b"}),
        ({"a": SERVES, "b": SERVES, "c": WAITS}, {"c"}),
        ({"a": SERVES, "b": SERVES}, set()),
        ({"a": SERVES}, set()),
        # Where nobody signs, somebody has to begin.
        ({"a": WAITS}, set()),
        ({"a": WAITS, "b": WAITS}, set()),
    ],
)
def test_a_server_joins_those_that_have_served(
    standings: dict[str, Standing], expected: set[str]
) -> None:
    assert joining(standings) == expected


@pytest.mark.parametrize(
    ("said", "expected"), [([], NEW), (["signs"], FIRST), (["served", "signs"], SERVES)]
)
def test_the_host_says_how_far_its_server_is(said: list[str], expected: Standing) -> None:
    assert StandingOfHost().process(said) == expected
