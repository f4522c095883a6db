from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from oauth_server.errors import ErrorCode, ProtocolError, ReplayError, UnavailableError
from tests.unit.oauth_server.grants.issuing import Site, run, web


def test_a_refresh_rotates_the_token_and_keeps_its_family() -> None:
    site = Site()
    first = site.redeem(site.code())
    second = site.refresh(first)
    assert second.response.refresh_token != first.response.refresh_token
    assert second.family == first.family
    assert second.response.scope == "a b"
    assert site.refresh(second).family == first.family


def test_reuse_ends_the_family() -> None:
    """RFC 9700 §4.14.2."""
    site = Site()
    first = site.redeem(site.code())
    second = site.refresh(first)
    with pytest.raises(ReplayError) as refusal:
        site.refresh(first)
    assert refusal.value.family == first.family
    with pytest.raises(ProtocolError):
        site.refresh(second)


def test_within_the_grace_a_lost_answer_is_forgiven_and_its_branch_dead() -> None:
    site = Site(grace=timedelta(seconds=10))
    first = site.redeem(site.code())
    lost = site.refresh(first)
    site.now += 9
    again = site.refresh(first)
    with pytest.raises(ReplayError):  # the answer was not lost, but somebody else's
        site.refresh(lost)
    with pytest.raises(ProtocolError):
        site.refresh(again)


def test_after_the_grace_it_is_reuse() -> None:
    site = Site(grace=timedelta(seconds=10))
    first = site.redeem(site.code())
    site.refresh(first)
    site.now += 10
    with pytest.raises(ReplayError):
        site.refresh(first)


def test_another_client_gets_nothing_and_ends_nothing() -> None:
    site = Site()
    first = site.redeem(site.code())
    with pytest.raises(ProtocolError) as refusal:
        site.refresh(first, msgspec.structs.replace(web(), client_id="other"))
    assert refusal.value.code is ErrorCode.INVALID_GRANT
    assert site.refresh(first)


def test_who_only_knows_the_familys_name_ends_nothing() -> None:
    """The name is in tokens and logs; a reuse is proved by the handle."""
    site = Site()
    first = site.redeem(site.code())
    with pytest.raises(ProtocolError) as refusal:
        run(site.refreshes.exchange(web(), {"refresh_token": str(first.family) + "x" * 86}))
    assert not isinstance(refusal.value, ReplayError)
    assert site.refresh(first)


@pytest.mark.parametrize("text", ["x", "x" * 107, "x" * 109, "x" * 107 + "\n", "é" * 108])
def test_what_is_no_refresh_token_is_an_invalid_grant(text: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        run(Site().refreshes.exchange(web(), {"refresh_token": text}))
    assert refusal.value.code is ErrorCode.INVALID_GRANT


def test_a_narrower_scope_is_for_this_token_only() -> None:
    """RFC 6749 §6."""
    site = Site()
    narrow = site.refresh(site.redeem(site.code()), scope="b")
    assert narrow.response.scope == "b"
    assert site.refresh(narrow).response.scope == "a b"


def test_a_wider_scope_is_refused_with_400_and_rotates_nothing() -> None:
    site = Site()
    first = site.redeem(site.code())
    with pytest.raises(ProtocolError) as refusal:
        site.refresh(first, web("a b c"), scope="c")
    assert (refusal.value.code, refusal.value.reason) == (
        ErrorCode.INVALID_SCOPE,
        "scope_not_granted",
    )
    assert refusal.value.code.status == 400
    assert site.refresh(first)


def test_a_resource_narrows_the_audience() -> None:
    """RFC 8707 §2.2."""
    site = Site()
    site.refresh(site.redeem(site.code()), resource="https://two.example")
    assert site.signer.claims[-1]["aud"] == "https://two.example"


@pytest.mark.parametrize(
    ("left", "aud"),
    [
        (("https://two.example",), "https://two.example"),
        (("https://new.example",), None),
        ((), None),
    ],
)
def test_a_resource_that_the_client_lost_since_is_given_no_more(
    left: tuple[str, ...], aud: str | None
) -> None:
    """As a scope: the registration of now counts, without an `audience` the issuer alone."""
    site = Site()
    first = site.redeem(site.code())
    client = msgspec.structs.replace(web(), audience=left)
    if aud is not None:
        with pytest.raises(ProtocolError) as refusal:
            site.refresh(first, client, resource="https://one.example")
        assert refusal.value.code is ErrorCode.INVALID_TARGET
        site.refresh(first, client)
        assert site.signer.claims[-1]["aud"] == aud
    else:
        with pytest.raises(ProtocolError) as refusal:
            site.refresh(first, client)
        assert (refusal.value.code, refusal.value.reason) == (
            ErrorCode.INVALID_GRANT,
            "audience_withdrawn",
        )


def test_a_busy_signer_rotates_nothing() -> None:
    site = Site()
    first = site.redeem(site.code())
    site.signer.busy = True
    with pytest.raises(UnavailableError):
        site.refresh(first)
    site.signer.busy = False
    assert site.refresh(first)


def test_a_user_who_was_disabled_gets_no_more_tokens() -> None:
    site = Site()
    first = site.redeem(site.code())
    site.active.clear()
    with pytest.raises(ProtocolError) as refusal:
        site.refresh(first)
    assert refusal.value.code is ErrorCode.INVALID_GRANT


def test_the_family_ends_however_often_it_was_rotated() -> None:
    site = Site()
    issued = site.redeem(site.code())
    for _ in range(6):
        site.now += 86400
        issued = site.refresh(issued)
    site.now += 86400
    with pytest.raises(ProtocolError):
        site.refresh(issued)
