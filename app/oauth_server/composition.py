"""The only wiring: settings in, a server out."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from starlette.types import ASGIApp

from oauth_server import clients, files, log, systemd, users
from oauth_server.clients import Clients
from oauth_server.errors import OperatorError
from oauth_server.grants.authentication import ClientAuthenticator
from oauth_server.grants.authorization_code import AuthorizationCode
from oauth_server.grants.client_credentials import ClientCredentials
from oauth_server.grants.code_issuing import CodeIssuer
from oauth_server.grants.delegation import DelegatedTokens
from oauth_server.grants.interface import Grant
from oauth_server.grants.refresh_token import RefreshTokenGrant
from oauth_server.grants.tokens import AccessTokens
from oauth_server.http import app as http_app
from oauth_server.http import html, serving
from oauth_server.http.account import AccountEndpoint
from oauth_server.http.authorize import AuthorizeEndpoint
from oauth_server.http.boundary import Boundary
from oauth_server.http.client_address import ClientAddress
from oauth_server.http.documents import DocumentEndpoint
from oauth_server.http.health import ReadyEndpoint
from oauth_server.http.login import Login
from oauth_server.http.logout import LogoutEndpoint
from oauth_server.http.responses import ErrorResponses
from oauth_server.http.sessions import Sessions
from oauth_server.http.token import TokenEndpoint
from oauth_server.keys import ring as key_ring
from oauth_server.keys.ring import KeyRing
from oauth_server.keys.signer import FileSigner, Signer
from oauth_server.models import GrantType
from oauth_server.passwords import PasswordChecker
from oauth_server.protocol import metadata
from oauth_server.settings import Settings, StoreSettings
from oauth_server.store.interface import Store
from oauth_server.store.memory import MemoryStore
from oauth_server.store.redis import RedisStore
from oauth_server.users import Users


def application(
    settings: Settings,
    registered: Clients,
    ring: KeyRing,
    *,
    store: Store,
    signer: Signer,
    sink: log.Sink,
    people: Users,
    checker: PasswordChecker,
) -> ASGIApp:
    """Everything that a reload replaces; what it is given lives on."""
    if people:
        html.prepare()
    sessions = Sessions(store, people, timedelta(seconds=settings.session_lifetime))
    login = Login(people, checker, store, sessions)
    codes = CodeIssuer(
        store,
        timedelta(seconds=settings.code_timeout),
        timedelta(seconds=settings.refresh_token_lifetime),
        settings.lifetime,
    )
    grants = _grants(settings, store, signer, people)
    return Boundary(
        html.NothingHere(
            http_app.routes(
                token=TokenEndpoint(ClientAuthenticator(registered), grants),
                metadata=DocumentEndpoint("metadata", metadata.document(settings.issuer, grants)),
                jwks=DocumentEndpoint("jwks", {"keys": [key.to_jwk() for key in ring.published]}),
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
    )


def _grants(
    settings: Settings, store: Store, signer: Signer, people: Users
) -> Mapping[GrantType, Grant]:
    tokens = AccessTokens(settings.issuer, settings.lifetime, signer)
    delegated = DelegatedTokens(tokens, people.is_active)
    lifetime = timedelta(seconds=settings.refresh_token_lifetime)
    grace = timedelta(seconds=settings.refresh_reuse_grace)
    return {
        GrantType.AUTHORIZATION_CODE: AuthorizationCode(store, delegated, lifetime),
        GrantType.CLIENT_CREDENTIALS: ClientCredentials(tokens, settings.issuer),
        GrantType.REFRESH_TOKEN: RefreshTokenGrant(store, delegated, grace),
    }


@dataclass(frozen=True)
class Server:
    """What runs: `reopen` is called when the log was moved away."""

    settings: Settings
    registered: Clients
    ring: KeyRing
    store: Store
    sink: log.Sink
    sockets: Sequence[socket.socket]
    people: Users = field(default_factory=Users)
    tls: ssl.SSLContext | None = None
    reopen: Callable[[], None] | None = None

    async def run(self) -> None:
        """Serve until a signal says stop."""
        signer = FileSigner(self.ring.active)
        checker = PasswordChecker()
        try:
            await serving.serve(
                application(
                    self.settings,
                    self.registered,
                    self.ring,
                    store=self.store,
                    signer=signer,
                    sink=self.sink,
                    people=self.people,
                    checker=checker,
                ),
                self.sockets,
                tls=self.tls,
                on_signal={signal.SIGUSR1: self.reopen} if self.reopen else {},
                on_ready=lambda: systemd.notify("READY=1"),
                on_stop=lambda: systemd.notify("STOPPING=1"),
            )
        finally:
            signer.close()
            checker.close()
            await self.store.close()


def activated(settings: Settings) -> Server:
    """A server on the sockets that systemd passes. Raises OperatorError."""
    sockets = systemd.listening_sockets()
    if not sockets:
        raise OperatorError(
            "no sockets were passed: start it with oauth-server.socket, "
            "or try it with `oauth-server serve --dev`"
        )
    sink = log.LogFile(Path(settings.log_file))
    registered = clients.load(Path(settings.clients_file))
    people = users.load(Path(settings.users_file))
    users.check_apart(Path(settings.users_file), people, registered)
    return Server(
        settings=settings,
        registered=registered,
        people=people,
        ring=key_ring.load(Path(settings.keys_directory)),
        store=_store(settings.store),
        sink=sink,
        sockets=sockets,
        tls=_tls_context(settings, sockets),
        reopen=sink.reopen,
    )


def _store(settings: StoreSettings) -> Store:
    if settings.socket is None:
        return MemoryStore()
    password = None
    if settings.password_file is not None:
        password = files.read_text(Path(settings.password_file)).rstrip("\r\n")
    return RedisStore(settings.socket, settings.username, password)


def _tls_context(settings: Settings, sockets: Sequence[socket.socket]) -> ssl.SSLContext | None:
    if all(sock.family == socket.AF_UNIX for sock in sockets):
        return None
    certificate, key = settings.certificate, settings.certificate_key
    for path in (certificate, key):
        files.read(Path(path))  # OpenSSL would wait at a FIFO
    try:
        return serving.tls_context(certificate, key)
    except (OSError, ValueError) as error:
        # OSError includes OpenSSL's, which names its reason.
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise OperatorError(f"{certificate} with {key}: cannot be used for TLS: {why}") from None
