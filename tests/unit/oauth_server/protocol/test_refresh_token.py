from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oauth_server.protocol import refresh_token

FAMILY = "abcdefghijklmnopqrstu_"


def test_a_token_survives_its_way_to_the_client() -> None:
    token = refresh_token.first(FAMILY)
    assert refresh_token.parse(token.encode()) == token


def test_a_successor_has_another_secret_and_the_same_handle() -> None:
    token = refresh_token.first(FAMILY)
    successor = refresh_token.successor(token)
    assert (successor.family, successor.handle) == (token.family, token.handle)
    assert successor.secret != token.secret


def test_two_families_of_one_name_share_nothing() -> None:
    assert refresh_token.first(FAMILY).handle != refresh_token.first(FAMILY).handle


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{100,120}\n?"))
def test_text_of_any_kind_is_a_token_or_none(text: str) -> None:
    token = refresh_token.parse(text)
    assert token is None or token.encode() == text


def test_what_is_secret_is_not_in_the_representation() -> None:
    token = refresh_token.first(FAMILY)
    assert token.handle not in repr(token)
    assert token.secret not in repr(token)
