from __future__ import annotations

import msgspec
import pytest

from oauth_server.errors import ErrorCode, ProtocolError, ReplayError, UnavailableError
from oauth_server.models import GrantType
from tests.unit.oauth_server.grants.issuing import CALLBACK, VERIFIER, Site, web


def test_a_code_buys_a_token_for_the_user_and_a_refresh_token() -> None:
    site = Site()
    issued = site.redeem(site.code())
    assert issued.response.scope == "a b"
    assert issued.family == "F" * 22
    assert len(str(issued.response.refresh_token)) == 22 + 43 + 43
    assert site.signer.claims == [
        {
            "iss": "https://auth.example.com",
            "sub": "ada",
            "aud": ["https://one.example", "https://two.example"],
            "exp": 1300,
            "iat": 1000,
            "jti": issued.jti,
            "client_id": "web",
            "scope": "a b",
            "family": "F" * 22,
        }
    ]


def test_a_client_without_the_grant_gets_no_refresh_token() -> None:
    site = Site()
    issued = site.redeem(site.code(), web("a b", GrantType.AUTHORIZATION_CODE))
    assert issued.response.refresh_token is msgspec.UNSET
    assert b"refresh_token" not in msgspec.json.encode(issued.response)


def test_a_code_that_is_used_twice_ends_everything_that_it_bought() -> None:
    """RFC 6749 §4.1.2, RFC 9700 §4.5."""
    site = Site()
    code = site.code()
    first = site.redeem(code)
    with pytest.raises(ReplayError) as refusal:
        site.redeem(code)
    assert refusal.value.code is ErrorCode.INVALID_GRANT
    assert refusal.value.family == "F" * 22
    with pytest.raises(ProtocolError) as refusal_of_refresh:
        site.refresh(first)
    assert refusal_of_refresh.value.code is ErrorCode.INVALID_GRANT


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"code": ""}, ErrorCode.INVALID_REQUEST, id="rfc6749-4.1.3-no-code"),
        pytest.param({"code": "x"}, ErrorCode.INVALID_GRANT, id="rfc6749-5.2-another-code"),
        pytest.param(
            {"code_verifier": ""}, ErrorCode.INVALID_REQUEST, id="rfc9700-4.8.2-downgrade"
        ),
        pytest.param(
            {"code_verifier": "x" * 43}, ErrorCode.INVALID_GRANT, id="rfc7636-4.6-another-verifier"
        ),
        pytest.param(
            {"code_verifier": VERIFIER[:-1]}, ErrorCode.INVALID_GRANT, id="rfc7636-4.1-42"
        ),
        pytest.param(
            {"code_verifier": "x" * 129}, ErrorCode.INVALID_GRANT, id="rfc7636-4.1-129"
        ),
        pytest.param(
            {"code_verifier": VERIFIER + "\n"}, ErrorCode.INVALID_GRANT, id="rfc7636-4.1-newline"
        ),
        pytest.param({"redirect_uri": ""}, ErrorCode.INVALID_GRANT, id="rfc6749-4.1.3-omitted"),
        pytest.param(
            {"redirect_uri": CALLBACK + "/"}, ErrorCode.INVALID_GRANT, id="rfc6749-4.1.3-another"
        ),
        pytest.param(
            {"resource": "https://three.example"}, ErrorCode.INVALID_TARGET, id="rfc8707-2.2"
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_spends_nothing(
    changes: dict[str, str], error: ErrorCode
) -> None:
    site = Site()
    code = site.code()
    with pytest.raises(ProtocolError) as refusal:
        site.redeem(code, **changes)
    assert refusal.value.code is error
    assert site.redeem(code).response.scope == "a b"


def test_another_clients_code_is_nobodys() -> None:
    site = Site()
    code = site.code()
    other = msgspec.structs.replace(web(), client_id="other")
    with pytest.raises(ProtocolError) as refusal:
        site.redeem(code, other)
    assert refusal.value.code is ErrorCode.INVALID_GRANT
    assert site.redeem(code)


def test_a_busy_signer_costs_no_code() -> None:
    site = Site()
    code = site.code()
    site.signer.busy = True
    with pytest.raises(UnavailableError):
        site.redeem(code)
    site.signer.busy = False
    assert site.redeem(code)


def test_a_code_expires() -> None:
    site = Site()
    code = site.code()
    site.now += 60
    with pytest.raises(ProtocolError):
        site.redeem(code)


def test_a_user_who_was_disabled_gets_nothing() -> None:
    site = Site()
    code = site.code()
    site.active.clear()
    with pytest.raises(ProtocolError) as refusal:
        site.redeem(code)
    assert refusal.value.reason == "user_not_active"


def test_a_scope_that_the_client_lost_is_not_given() -> None:
    site = Site()
    assert site.redeem(site.code(), web("b c")).response.scope == "b"
    with pytest.raises(ProtocolError) as refusal:
        site.redeem(site.code(), web("c"))
    assert refusal.value.code is ErrorCode.INVALID_GRANT


def test_no_secret_is_in_a_representation() -> None:
    site = Site()
    issued = site.redeem(site.code())
    assert str(issued.response.refresh_token)[22:] not in repr(issued)
    assert issued.response.access_token not in repr(issued)
