"""The only wiring: settings in, a server out."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from ssl import SSLError

from starlette.types import ASGIApp

from oauth_server import files, loading, log, monitoring, systemd
from oauth_server import settings as settings_file
from oauth_server.clients import Clients
from oauth_server.errors import OperatorError, UnavailableError
from oauth_server.fleet import identity, record
from oauth_server.fleet.membership import Membership, Published
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
from oauth_server.http import html, serving
from oauth_server.http.account import AccountEndpoint
from oauth_server.http.authorize import AuthorizeEndpoint
from oauth_server.http.boundary import Boundary
from oauth_server.http.client_address import ClientAddress
from oauth_server.http.client_authentication import AuthenticatedForm
from oauth_server.http.documents import DocumentEndpoint
from oauth_server.http.generations import Current, Generation
from oauth_server.http.health import ReadyEndpoint
from oauth_server.http.introspect import IntrospectEndpoint
from oauth_server.http.login import Login
from oauth_server.http.logout import LogoutEndpoint
from oauth_server.http.metrics import MetricsEndpoint
from oauth_server.http.responses import ErrorResponses
from oauth_server.http.revoke import RevokeEndpoint
from oauth_server.http.serving import Certificate
from oauth_server.http.sessions import Sessions
from oauth_server.http.token import TokenEndpoint
from oauth_server.keys import removed, served
from oauth_server.keys.following import Follower
from oauth_server.keys.jose import PublicKey
from oauth_server.keys.pkcs11.key import TokenKey
from oauth_server.keys.pkcs11.signer import TokenSigner
from oauth_server.keys.ring import KeyRing
from oauth_server.keys.served import ServedFile
from oauth_server.keys.signer import (
    BoundedSigner,
    ConfirmedSigner,
    FileSigner,
    NoSigner,
    Signer,
    SignObserver,
)
from oauth_server.keys.source import ActiveKey
from oauth_server.loading import Loaded
from oauth_server.metrics import Metrics
from oauth_server.models import GrantType
from oauth_server.passwords import PasswordChecker
from oauth_server.protocol import metadata
from oauth_server.settings import Settings, StoreSettings
from oauth_server.store.interface import Observer, Store
from oauth_server.store.memory import MemoryStore
from oauth_server.store.redis import RedisStore
from oauth_server.store.redis.endpoint import Endpoint, Socket, Tls
from oauth_server.systemd import Passed
from oauth_server.users import Users

_journal = logging.getLogger("oauth_server")


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


class Server:
    """What runs. `load` gives what a reload takes over, `reopen` follows a log that was moved."""

    def __init__(
        self,
        loaded: Loaded,
        *,
        store: Store,
        sink: log.Sink,
        sockets: Sequence[Passed],
        metrics: Metrics | None = None,
        load: Callable[[], Loaded] | None = None,
        follow: bool = False,
        reopen: Callable[[], None] | None = None,
    ) -> None:
        self._loaded = loaded
        self._store = store
        self._sink = sink
        self._sockets = sockets
        self._load = load
        self._changing = asyncio.Lock()
        self._complaints: Sequence[str] = ()
        self._metrics = metrics or Metrics()
        self._follower = self._follow() if follow else None
        self._membership = self._take_part() if follow else None
        self._reopen = reopen
        self._checker: PasswordChecker
        self._signer: BoundedSigner
        self._current: Current
        self._certificate = Certificate(loaded.tls.context) if loaded.tls else None
        self._reloading: asyncio.Task[None] | None = None
        self._again = False

    async def run(self) -> None:
        """Serve until a signal says stop."""
        # A reload's steps follow each other. With room for more, another thread would be started
        # where the first is not idle yet, and kept.
        loading = ThreadPoolExecutor(1, thread_name_prefix="load")
        asyncio.get_running_loop().set_default_executor(loading)
        if self._membership is not None:
            # A host that was down hears what it missed before it answers anybody.
            self._membership.join(self._loaded.fleet)
            await self._membership.listen()
            self._loaded = self._with_fleet(self._loaded)
        self._checker = PasswordChecker()
        self._signer = self._new_signer(self._loaded.ring)
        with suppress(UnavailableError):  # then it is not ready, and comes back by itself
            await self._signer.open()
        self._current = Current(Generation(self._application(self._loaded, self._signer)))
        monitoring.describe(
            self._metrics, lambda: self._loaded, lambda: self._signer, self._follower
        )
        if self._membership is not None:
            monitoring.describe_fleet(self._metrics, self._membership)
        on_signal = {}
        if self._reopen is not None:
            on_signal[signal.SIGUSR1] = self._reopen
        if self._load is not None:
            on_signal[signal.SIGHUP] = self._hang_up
        loop = asyncio.get_running_loop()
        lasting = []
        if self._follower is not None:
            lasting.append(loop.create_task(self._follower.follow()))
        if self._membership is not None:
            lasting.append(loop.create_task(self._membership.take_part()))
        try:
            await serving.serve(
                [self._door(passed) for passed in self._sockets],
                on_signal=on_signal,
                on_ready=lambda: systemd.notify("READY=1"),
                on_stop=lambda: systemd.notify("STOPPING=1"),
            )
        finally:
            for task in lasting:
                task.cancel()
            self._signer.close()
            self._checker.close()
            await self._store.close()

    def _application(self, loaded: Loaded, signer: BoundedSigner) -> ASGIApp:
        return application(
            loaded.settings,
            loaded.registered,
            loaded.published,
            store=self._store,
            signer=signer,
            sink=self._sink,
            people=loaded.people,
            checker=self._checker,
            metrics=self._metrics,
        )

    def _door(self, passed: Passed) -> serving.Door:
        if passed.name == monitoring.SOCKET:
            return serving.Door(passed.socket, self._monitoring())
        if passed.socket.family == socket.AF_UNIX:
            return serving.Door(passed.socket, self._current, gateway=True)
        front = self._certificate.front if self._certificate else None
        return serving.Door(passed.socket, self._current, tls=front)

    def _monitoring(self) -> ASGIApp:
        """Its own answers: a reload concerns nothing of it but who signs."""
        return Boundary(
            http_app.monitoring(
                metrics=MetricsEndpoint(self._metrics),
                ready=ReadyEndpoint(self._store, self),
            ),
            ClientAddress(()),
            ErrorResponses(self._loaded.settings.issuer, 403),
            self._sink,
            self._metrics,
        )

    async def sign(self, typ: str, claims: dict[str, object]) -> str:
        """With the key that is active now."""
        return await self._signer.sign(typ, claims)

    def _hang_up(self) -> None:
        """One reload after the other; of those asked for meanwhile the last one counts."""
        if self._reloading is not None:
            self._again = True
            return
        systemd.notify_reloading()
        self._reloading = asyncio.get_running_loop().create_task(self._reload())

    async def _reload(self) -> None:
        assert self._load is not None  # noqa: S101 - else nobody would have called
        problems = await self._change(self._load)
        for problem in problems:
            _journal.error("not reloaded, the old one stays: %s", problem)
        self._metrics.reload(not problems)
        self._reloading = None
        if self._again:
            self._again = False
            self._hang_up()
        else:
            systemd.notify("READY=1")

    async def _change(self, load: Callable[[], Loaded]) -> Sequence[str]:
        """Work with something else from now on, or with what there is, for these problems."""
        async with self._changing:
            try:
                loaded = self._with_fleet(await asyncio.to_thread(load))
                loading.check_change(self._loaded, loaded)
                signer = await self._signer_for(loaded.ring)
                # Beside the event loop, too: the keys of thousands of clients take a while.
                try:
                    app = await asyncio.to_thread(self._application, loaded, signer)
                except BaseException:
                    if signer is not self._signer:
                        signer.close()
                    raise
            except OperatorError as error:
                return error.problems
            except Exception as error:  # noqa: BLE001 - a change that fails must not end the server
                _journal.exception("while something else was loaded")
                return [type(error).__name__]
            self._take_over(loaded, signer, app)
            return ()

    def _follow(self) -> Follower:
        settings = self._loaded.settings
        return Follower(
            Path(settings.keys_directory),
            ring=lambda: self._loaded.ring,
            stale=lambda: self._loaded.settings.timing.stale,
            take_over=self._take_over_ring,
            served=ServedFile(Path(settings.state_directory) / served.FILE),
            fleet=self._in_fleet,
        )

    def _take_part(self) -> Membership:
        settings = self._loaded.settings
        keys = Path(settings.keys_directory)
        return Membership(
            self._store,
            Path(settings.state_directory) / record.FILE,
            issuer=settings.issuer,
            leeway=settings.timing.leeway,
            grace=lambda: self._loaded.settings.timing.grace(),
            identity=lambda: identity.load(keys),
            banned=lambda: removed.emergencies(keys),
            published=lambda: Published(
                self._loaded.ring.published, [key.kid for key in self._loaded.published]
            ),
            take_over=self._take_over_fleet,
            refused=self._metrics.statement_refused,
        )

    def _with_fleet(self, loaded: Loaded) -> Loaded:
        """And the keys of the fleet's other servers, as far as they are known."""
        if self._membership is None:
            return loaded
        own = {key.kid for key in loaded.ring.published}
        return replace(loaded, foreign=self._membership.foreign(own))

    async def _take_over_fleet(self) -> None:
        """The own ring stays: whatever is the matter with it is no matter of the others."""
        for problem in await self._change(lambda: self._loaded):
            _journal.error("the fleet's old keys stay: %s", problem)

    def _in_fleet(self) -> tuple[str, Mapping[str, Collection[str]]]:
        """This server's name, and which keys each other one publishes."""
        membership = self._membership
        if membership is None or membership.fleet is None:
            return served.SELF, {}
        return membership.fleet.host, membership.serves()

    async def _take_over_ring(self) -> None:
        problems = await self._change(
            lambda: replace(self._loaded, ring=loading.ring(self._loaded.settings))
        )
        self._metrics.takeover(not problems)
        # It is tried again and again, and said once.
        for problem in problems if problems != self._complaints else ():
            _journal.error("the old keys stay: %s", problem)
        self._complaints = problems

    async def _signer_for(self, ring: KeyRing) -> BoundedSigner:
        """The one that there is, as long as its key stays. Raises OperatorError."""
        old = self._loaded.ring
        if (ring.signs_with, ring.access) == (old.signs_with, old.access):
            return self._signer
        signer = self._new_signer(ring)
        try:
            await signer.open()
        except UnavailableError as error:
            signer.close()
            raise OperatorError(f"the new key cannot sign: {error.reason}") from None
        return signer

    def _new_signer(self, ring: KeyRing) -> BoundedSigner:
        if ring.active is None:
            return NoSigner()
        signer = _signer(ring.active, self._metrics.signature)
        if self._follower is None:
            return signer
        return ConfirmedSigner(signer, self._follower.is_stale)

    def _take_over(self, loaded: Loaded, signer: BoundedSigner, app: ASGIApp) -> None:
        """From one request to the next: nothing here waits."""
        on_end: Callable[[], None] = lambda: None  # noqa: E731
        if signer is not self._signer:
            on_end = self._signer.close
        if self._membership is not None and loaded.fleet is not self._loaded.fleet:
            self._membership.join(loaded.fleet)
        self._loaded, self._signer = loaded, signer
        self._current.replace(Generation(app), on_end)
        if self._certificate is not None and loaded.tls is not None:
            self._certificate.replace(loaded.tls.context)


def activated(config: Path) -> Server:
    """A server on the sockets that systemd passes. Raises OperatorError."""
    settings = settings_file.load(config)
    sockets = systemd.listening_sockets()
    if not sockets:
        raise OperatorError(
            "no sockets were passed: start it with oauth-server.socket, "
            "or try it with `oauth-server serve --dev`"
        )
    monitoring.check_loopback(sockets)
    secure = any(
        passed.socket.family != socket.AF_UNIX and passed.name != monitoring.SOCKET
        for passed in sockets
    )
    metrics = Metrics()
    sink = log.LogFile(Path(settings.log_file), metrics.line_lost)
    return Server(
        loading.load(settings, secure=secure),
        store=open_store(settings.store, metrics.store_step),
        sink=sink,
        sockets=sockets,
        metrics=metrics,
        load=lambda: loading.load(settings_file.load(config), secure=secure),
        reopen=sink.reopen,
        follow=True,
    )


def _signer(key: ActiveKey, observe: SignObserver) -> BoundedSigner:
    if isinstance(key, TokenKey):
        return TokenSigner(key, observe=observe)
    return FileSigner(key, observe=observe)


def open_store(settings: StoreSettings, observe: Observer | None = None) -> Store:
    """Connects when it is first asked. Raises OperatorError."""
    endpoint = _redis(settings)
    if endpoint is None:
        return MemoryStore()
    password = None
    if settings.password_file is not None:
        password = files.read_text(Path(settings.password_file)).rstrip("\r\n")
    return RedisStore(endpoint, settings.username, password, observe)


def _redis(settings: StoreSettings) -> Endpoint | None:
    if settings.socket is not None:
        return Socket(settings.socket)
    if settings.address is None:
        return None
    host, port = settings.address
    assert settings.ca_file is not None  # noqa: S101 - settings are refused without it
    try:
        return Tls(host, port, name=settings.server_name or host, ca_file=Path(settings.ca_file))
    except OSError as error:
        reason = "holds no certificate in PEM" if isinstance(error, SSLError) else error.strerror
        raise OperatorError(f"store.ca_file: {settings.ca_file}: {reason}") from None
