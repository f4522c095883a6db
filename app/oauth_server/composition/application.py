"""The application: every endpoint with what it needs, made anew by each reload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from starlette.types import ASGIApp

from oauth_server import log
from oauth_server.clients import Clients
from oauth_server.grants.authentication import ClientAuthenticator
from oauth_server.grants.authorization_code import AuthorizationCode
from oauth_server.grants.client_credentials import ClientCredentials
from oauth_server.grants.code_issuing import CodeIssuer
from oauth_server.grants.delegation import DelegatedTokens
from oauth_server.grants.interface import Grant
from oauth_server.grants.introspection import Introspection
from oauth_server.grants.issued_tokens import IssuedTokens
from oauth_server.grants.refresh_token import RefreshTokenGrant
from oauth_server.grants.revocation import Revocation
from oauth_server.grants.tokens import AccessTokens
from oauth_server.http import app as http_app
from oauth_server.http import html
from oauth_server.http.account import AccountEndpoint
from oauth_server.http.authorize import AuthorizeEndpoint
from oauth_server.http.boundary import Boundary
from oauth_server.http.client_address import ClientAddress
from oauth_server.http.client_authentication import AuthenticatedForm
from oauth_server.http.documents import DocumentEndpoint
from oauth_server.http.health import ReadyEndpoint
from oauth_server.http.introspect import IntrospectEndpoint
from oauth_server.http.login import Login
from oauth_server.http.logout import LogoutEndpoint
from oauth_server.http.responses import ErrorResponses
from oauth_server.http.revoke import RevokeEndpoint
from oauth_server.http.sessions import Sessions
from oauth_server.http.token import TokenEndpoint
from oauth_server.keys.jose import PublicKey
from oauth_server.keys.signer import (
    BoundedSigner,
    Signer,
)
from oauth_server.metrics import Metrics
from oauth_server.models import GrantType
from oauth_server.passwords import PasswordChecker
from oauth_server.protocol import metadata
from oauth_server.settings import Settings
from oauth_server.store.interface import Store
from oauth_server.users import Users


def application(
    settings: Settings,
    registered: Clients,
    published: Sequence[PublicKey],
    *,
    store: Store,
    signer: BoundedSigner,
    sink: log.Sink,
    people: Users,
    checker: PasswordChecker,
    metrics: Metrics,
) -> ASGIApp:
    """Everything that a reload replaces; what it is given lives on."""
    if people:
        html.prepare()
    sessions = Sessions(store, people, timedelta(seconds=settings.session_lifetime))
    login = Login(people, checker, store, sessions)
    leeway = timedelta(seconds=settings.clock_leeway)
    codes = CodeIssuer(
        store,
        timedelta(seconds=settings.code_timeout),
        timedelta(seconds=settings.refresh_token_lifetime),
        settings.lifetime + leeway,
    )
    grants = _grants(settings, store, signer, people)
    form = AuthenticatedForm(ClientAuthenticator(registered, store, settings.issuer, leeway))
    issued = IssuedTokens(settings.issuer, {key.kid: key for key in published}, leeway)
    return Boundary(
        html.NothingHere(
            http_app.routes(
                token=TokenEndpoint(form, grants, signer.check_room),
                revoke=RevokeEndpoint(form, Revocation(issued, store, leeway)),
                introspect=IntrospectEndpoint(
                    form,
                    Introspection(settings.issuer, issued, store, registered, people.is_active),
                ),
                metadata=DocumentEndpoint("metadata", metadata.document(settings.issuer, grants)),
                jwks=DocumentEndpoint(
                    "jwks",
                    {"keys": [key.to_jwk() for key in published]},
                    settings.timing.cache,
                ),
                ready=ReadyEndpoint(store, signer),
                authorize=AuthorizeEndpoint(
                    settings.issuer, registered, login, sessions, store, codes
                ),
                account=AccountEndpoint(registered, login, sessions, store),
                logout=LogoutEndpoint(sessions),
            )
        ),
        ClientAddress(settings.trusted_networks),
        ErrorResponses(settings.issuer, settings.scope_error_status),
        sink,
        metrics,
    )


def _grants(
    settings: Settings, store: Store, signer: Signer, people: Users
) -> Mapping[GrantType, Grant]:
    tokens = AccessTokens(settings.issuer, settings.lifetime, signer)
    delegated = DelegatedTokens(tokens, settings.issuer, people.is_active)
    lifetime = timedelta(seconds=settings.refresh_token_lifetime)
    grace = timedelta(seconds=settings.refresh_reuse_grace)
    return {
        GrantType.AUTHORIZATION_CODE: AuthorizationCode(store, delegated, lifetime),
        GrantType.CLIENT_CREDENTIALS: ClientCredentials(tokens, settings.issuer),
        GrantType.REFRESH_TOKEN: RefreshTokenGrant(store, delegated, grace),
    }
