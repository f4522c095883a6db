from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_server.protocol import pkce
from tests import vectors

VECTOR = vectors.load("rfc7636")["appendix-b"]
VERIFIER = VECTOR["code_verifier"]


def test_the_rfcs_verifier_has_the_rfcs_challenge() -> None:
    """RFC 7636 appendix B."""
    assert pkce.challenge(VERIFIER) == VECTOR["code_challenge"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="rfc7636-4.1-empty"),
        pytest.param(VERIFIER[:-1], id="rfc7636-4.1-42-characters"),
        pytest.param("x" * 129, id="rfc7636-4.1-129-characters"),
        pytest.param(VERIFIER + "\n", id="rfc7636-4.1-trailing-newline"),
        pytest.param(VERIFIER + "=", id="rfc7636-4.1-padding"),
        pytest.param(VERIFIER + "+", id="rfc7636-4.1-base64"),
        pytest.param(VERIFIER + "é", id="rfc7636-4.1-not-ascii"),
    ],
)
def test_what_is_no_verifier_has_no_challenge(text: str) -> None:
    assert pkce.challenge(text) is None


@given(st.from_regex(r"[A-Za-z0-9._~-]{43,128}", fullmatch=True))
def test_every_verifier_has_a_challenge_of_43_characters(code_verifier: str) -> None:
    assert len(pkce.challenge(code_verifier) or "") == 43


@given(st.text())
def test_text_of_any_kind_has_a_challenge_or_none(text: str) -> None:
    pkce.challenge(text)
