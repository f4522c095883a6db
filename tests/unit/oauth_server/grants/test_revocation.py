from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.grants.presentation import Finding
from oauth_server.models import Client, GrantType
from oauth_server.store.interface import TokenIdentity
from tests.unit.oauth_server.grants.issuing import Down, Site, run, web
from tests.unit.oauth_server.grants.test_introspection import asked

OTHER = msgspec.structs.replace(web(), client_id="other")


def revoke(site: Site, token: object, client: Client | None = None) -> Finding:
    return run(site.revocation.revoke(client or web(), str(token)))


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_either_token_of_a_family_ends_all_of_it(which: str) -> None:
    """RFC 7009 §2.1."""
    site = Site()
    issued = site.redeem(site.code())
    assert revoke(site, getattr(issued.response, which)).family == issued.family
    assert asked(site, issued.response.access_token) == {"active": False}
    with pytest.raises(ProtocolError):
        site.refresh(issued)


def test_again_is_the_same_as_once() -> None:
    """RFC 7009 §2.2."""
    site = Site()
    issued = site.redeem(site.code())
    for _ in range(3):
        revoke(site, issued.response.refresh_token)
        revoke(site, issued.response.access_token)


def test_a_machines_token_ends_alone() -> None:
    site = Site()
    machine = Client(client_id="m", grant_types=(GrantType.CLIENT_CREDENTIALS,), scope="a")
    first, second = site.machine_token(machine), site.machine_token(machine)
    revoke(site, first.response.access_token, machine)
    assert asked(site, first.response.access_token, machine) == {"active": False}
    assert asked(site, second.response.access_token, machine)["active"] is True


def test_a_revocation_is_known_for_as_long_as_a_server_that_is_late_accepts_the_token() -> None:
    """The store's clock decides when it is forgotten, and a server's may be behind it."""
    site = Site(leeway=timedelta(seconds=30))
    machine = Client(client_id="m", grant_types=(GrantType.CLIENT_CREDENTIALS,), scope="a")
    issued = site.machine_token(machine)
    revoke(site, issued.response.access_token, machine)
    site.now += issued.response.expires_in + 30 + 29
    identity = TokenIdentity(issued.jti, subject="m", client_id="m", issued_at=1000)
    assert run(site.store.is_revoked(identity))


def test_a_refresh_token_that_was_rotated_still_ends_its_family() -> None:
    """Who lost the answer to a refresh logs out with what they have."""
    site = Site()
    first = site.redeem(site.code())
    second = site.refresh(first)
    assert revoke(site, first.response.refresh_token).family == first.family
    with pytest.raises(ProtocolError):
        site.refresh(second)


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_another_clients_token_is_refused_and_lives(which: str) -> None:
    """RFC 7009 §2.1."""
    site = Site()
    issued = site.redeem(site.code())
    with pytest.raises(ProtocolError) as refusal:
        revoke(site, getattr(issued.response, which), OTHER)
    assert refusal.value.code is ErrorCode.INVALID_GRANT
    assert asked(site, issued.response.access_token)["active"] is True
    assert site.refresh(issued)


@pytest.mark.parametrize("token", ["x", "a.b.c", "x" * 108, "é"])
def test_what_is_no_token_is_no_error(token: str) -> None:
    assert revoke(Site(), token).error


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_a_revocation_that_the_store_did_not_take_is_no_success(which: str) -> None:
    site = Site()
    issued = site.redeem(site.code())
    site.break_store(Down())
    with pytest.raises(ProtocolError) as refusal:
        revoke(site, getattr(issued.response, which))
    assert refusal.value.code.status == 503
