from __future__ import annotations

import msgspec
import pytest

from oauth_server.errors import ProtocolError
from oauth_server.grants.interface import Issued
from oauth_server.grants.introspection import INACTIVE
from oauth_server.models import Client
from oauth_server.store.interface import RevocationKind
from tests.unit.oauth_server.grants.issuing import ISSUER, Down, Site, run, web

OTHER = msgspec.structs.replace(web(), client_id="other")
RESOURCE = msgspec.structs.replace(OTHER, resource="https://two.example")


def access_token(site: Site) -> Issued:
    return site.redeem(site.code())


def asked(site: Site, token: object, client: Client | None = None) -> dict[str, object]:
    answer, _ = run(site.introspection.introspect(client or web(), str(token)))
    return answer


def test_a_client_sees_its_access_token() -> None:
    site = Site()
    issued = access_token(site)
    assert asked(site, issued.response.access_token) == {
        "active": True,
        "token_type": "Bearer",
        "iss": ISSUER,
        "sub": "ada",
        "username": "ada",
        "aud": ["https://one.example", "https://two.example"],
        "client_id": "web",
        "scope": "a b",
        "exp": 1300,
        "iat": 1000,
        "jti": issued.jti,
    }


def test_a_client_sees_its_refresh_token() -> None:
    site = Site()
    assert asked(site, access_token(site).response.refresh_token) == {
        "active": True,
        "iss": ISSUER,
        "sub": "ada",
        "username": "ada",
        "client_id": "web",
        "scope": "a b",
        "exp": 1000 + 7 * 86400,
    }


def test_a_resource_server_sees_what_is_meant_for_it_and_no_refresh_token() -> None:
    site = Site()
    issued = access_token(site)
    assert asked(site, issued.response.access_token, RESOURCE)["active"] is True
    assert asked(site, issued.response.refresh_token, RESOURCE) == INACTIVE
    elsewhere = msgspec.structs.replace(RESOURCE, resource="https://three.example")
    assert asked(site, issued.response.access_token, elsewhere) == INACTIVE


def test_another_client_sees_nothing() -> None:
    site = Site()
    issued = access_token(site)
    for token in (issued.response.access_token, issued.response.refresh_token):
        assert asked(site, token, OTHER) == INACTIVE


@pytest.mark.parametrize("token", ["x", "a.b.c", "x" * 108, "é"])
def test_what_is_no_token_is_inactive(token: str) -> None:
    assert asked(Site(), token) == INACTIVE


def test_an_expired_token_is_inactive_and_the_log_says_why() -> None:
    site = Site()
    issued = access_token(site)
    site.now += 300
    answer, finding = run(site.introspection.introspect(web(), issued.response.access_token))
    assert (answer, finding.error) == (INACTIVE, "token_expired")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (RevocationKind.JTI, None),
        (RevocationKind.FAMILY, "F" * 22),
        (RevocationKind.SUBJECT, "ada"),
        (RevocationKind.CLIENT, "web"),
    ],
)
def test_a_revoked_token_is_inactive_and_the_log_says_so(
    kind: RevocationKind, value: str | None
) -> None:
    site = Site()
    issued = access_token(site)
    run(site.store.revoke(kind, value or issued.jti))
    answer, finding = run(site.introspection.introspect(web(), issued.response.access_token))
    assert answer == INACTIVE
    assert (finding.error, finding.jti) == ("token_revoked", issued.jti)


def test_a_disabled_users_tokens_are_inactive() -> None:
    site = Site()
    issued = access_token(site)
    site.active.clear()
    for token in (issued.response.access_token, issued.response.refresh_token):
        assert asked(site, token) == INACTIVE


def test_the_tokens_of_a_client_that_was_removed_are_inactive() -> None:
    site = Site()
    issued = access_token(site)
    site.clients.clear()
    assert asked(site, issued.response.access_token, RESOURCE) == INACTIVE


def test_to_ask_about_an_old_refresh_token_ends_nothing() -> None:
    site = Site()
    first = access_token(site)
    second = site.refresh(first)
    assert asked(site, first.response.refresh_token) == INACTIVE
    assert site.refresh(second)


def test_without_the_store_nothing_is_said_to_be_active() -> None:
    site = Site()
    token = access_token(site).response.access_token
    site.break_store(Down())
    with pytest.raises(ProtocolError) as refusal:
        asked(site, token)
    assert refusal.value.code.status == 503
