from __future__ import annotations

from tests.server.shared_state.pair import Pair, assertion, granted, redemption, refreshment

_AT_ONCE = 24


def test_of_parallel_redemptions_one_succeeds_and_the_rest_end_it(pair: Pair) -> None:
    """RFC 9700 §4.5; "race conditions in OAuth 2 API implementations" (2016): check, then act."""
    for _ in range(3):
        answers = pair.together([redemption(pair.code())] * _AT_ONCE)
        assert [answer.status_code for answer in answers].count(200) == 1
        (winner,) = granted(answers)
        assert pair.refresh(winner.json()["refresh_token"]).json()["error"] == "invalid_grant"


def test_of_parallel_refreshes_one_succeeds_and_the_rest_end_the_family(pair: Pair) -> None:
    """RFC 9700 §4.14.2."""
    for _ in range(3):
        first = pair.redeem(pair.code()).json()["refresh_token"]
        answers = pair.together([refreshment(first)] * _AT_ONCE)
        (winner,) = granted(answers)
        assert pair.refresh(winner.json()["refresh_token"]).json()["error"] == "invalid_grant"


def test_of_parallel_uses_of_one_assertion_one_succeeds(pair: Pair) -> None:
    """RFC 7523 §3, point 7: whichever server is shown it."""
    for _ in range(3):
        answers = pair.together([assertion()] * _AT_ONCE)
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [200] + [401] * (_AT_ONCE - 1)


def test_a_code_and_its_refresh_token_may_meet_different_servers(pair: Pair) -> None:
    token = pair.redeem(pair.code()).json()["refresh_token"]
    for _ in range(4):
        pair.servers.reverse()
        answer = pair.refresh(token)
        assert answer.status_code == 200
        token = answer.json()["refresh_token"]


def test_what_ended_on_one_server_has_ended_on_the_other(pair: Pair) -> None:
    """RFC 6749 §4.1.2."""
    code = pair.code()
    token = pair.redeem(code).json()["refresh_token"]
    pair.servers.reverse()
    assert pair.redeem(code).json()["error"] == "invalid_grant"
    pair.servers.reverse()
    assert pair.refresh(token).json()["error"] == "invalid_grant"
