from __future__ import annotations

from datetime import timedelta

import pytest

from oauth_server.errors import ReplayError
from oauth_server.grants.code_issuing import CodeIssuer
from oauth_server.grants.interface import Issued
from oauth_server.models import Client, GrantType
from oauth_server.protocol import pkce
from oauth_server.protocol.authorization_request import Answer, AuthorizationRequest
from oauth_server.store.interface import Session
from tests.unit.oauth_server.grants.issuing import CALLBACK, ISSUER, VERIFIER, WEEK, Site, run, web

SECOND = 1
WITHOUT_REFRESH = web("a b", GrantType.AUTHORIZATION_CODE)


def issued_code(site: Site, client: Client) -> str:
    """Tokens of the site live for five minutes, refresh tokens for a week."""
    issuer = CodeIssuer(site.store, timedelta(minutes=1), WEEK, timedelta(minutes=5))
    code_challenge = pkce.challenge(VERIFIER)
    assert code_challenge is not None
    asked = AuthorizationRequest(
        client, CALLBACK, Answer(CALLBACK, None, ISSUER), code_challenge, "a b", client.audience
    )
    session = Session(subject="ada", auth_time=900, credential="")
    return run(issuer.issue(asked, session)).code


def last_token(site: Site, code: str, client: Client) -> Issued:
    """The last that the code can buy, a second before it expires."""
    issued = site.redeem(code, client)
    if GrantType.REFRESH_TOKEN in client.grant_types:
        site.now += WEEK.total_seconds() - SECOND
        issued = site.refresh(issued, client)
    site.now += issued.response.expires_in - SECOND
    return issued


def is_active(site: Site, issued: Issued) -> bool:
    answer, _ = run(site.introspection.introspect(web(), issued.response.access_token))
    return bool(answer["active"])


@pytest.mark.parametrize("client", [web(), WITHOUT_REFRESH], ids=["refreshed", "once"])
def test_a_replay_is_noticed_as_long_as_a_token_lives_that_the_code_bought(client: Client) -> None:
    """RFC 6749 §4.1.2: the last access token outlives the last refresh token."""
    site = Site()
    code = issued_code(site, client)
    last = last_token(site, code, client)
    assert is_active(site, last)
    with pytest.raises(ReplayError):
        site.redeem(code, client)
    assert not is_active(site, last)


def test_a_replay_is_noticed_although_tokens_live_longer_since() -> None:
    """A reload can lengthen what the code will have bought."""
    site = Site()
    code = issued_code(site, web())
    issued = site.redeem(code)
    site.let_tokens_live(timedelta(days=1))
    site.now += WEEK.total_seconds() - SECOND
    last = site.refresh(issued)
    site.now += last.response.expires_in - SECOND
    with pytest.raises(ReplayError):
        site.redeem(code)
    assert not is_active(site, last)


@pytest.mark.parametrize("client", [web(), WITHOUT_REFRESH], ids=["refreshed", "once"])
def test_a_consent_can_be_withdrawn_as_long_as_a_token_lives_that_it_gave(client: Client) -> None:
    site = Site()
    last = last_token(site, issued_code(site, client), client)
    assert is_active(site, last)
    run(site.store.withdraw_consent("ada", "web"))
    assert not is_active(site, last)
