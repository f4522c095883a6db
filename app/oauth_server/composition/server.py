"""What runs: it serves an application, and replaces it when something else is to be served."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from starlette.types import ASGIApp

from oauth_server import loading, log, monitoring, systemd
from oauth_server import settings as settings_file
from oauth_server.composition.application import application
from oauth_server.composition.backends import open_store, signer_for
from oauth_server.errors import OperatorError, UnavailableError
from oauth_server.fleet import identity, record
from oauth_server.fleet.membership import Membership, Published
from oauth_server.http import app as http_app
from oauth_server.http import serving
from oauth_server.http.boundary import Boundary
from oauth_server.http.client_address import ClientAddress
from oauth_server.http.crowd import Crowd, Limits
from oauth_server.http.generations import Current, Generation
from oauth_server.http.health import ReadyEndpoint
from oauth_server.http.metrics import MetricsEndpoint
from oauth_server.http.responses import ErrorResponses
from oauth_server.http.serving import Certificate
from oauth_server.keys import removed, served
from oauth_server.keys.following import Follower
from oauth_server.keys.ring import KeyRing
from oauth_server.keys.served import ServedFile
from oauth_server.keys.signer import (
    BoundedSigner,
    ConfirmedSigner,
    NoSigner,
)
from oauth_server.loading import Loaded
from oauth_server.metrics import Metrics
from oauth_server.passwords import PasswordChecker
from oauth_server.settings import Settings
from oauth_server.store.interface import Store
from oauth_server.systemd import Passed

_journal = logging.getLogger("oauth_server")


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
        self._crowd = Crowd(_limits(loaded.settings))
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
        monitoring.describe_crowd(self._metrics, self._crowd)
        monitoring.describe_clock(self._metrics, Path(self._loaded.settings.clock_report))
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
                crowd=self._crowd,
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
            withhold=self._withhold,
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
            grace=lambda: self._loaded.settings.timing.departed,
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

    async def _withhold(self, kids: Collection[str]) -> None:
        """The rest of the ring stays as it is; the active key, if it is one of them, signs not."""
        for problem in await self._change(
            lambda: replace(self._loaded, ring=self._loaded.ring.without(kids))
        ):
            _journal.error("keys that were removed stay published: %s", problem)

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
        signer = signer_for(ring.active, self._metrics.signature)
        if self._follower is None:
            return signer
        return ConfirmedSigner(signer, self._follower.is_stale)

    def _take_over(self, loaded: Loaded, signer: BoundedSigner, app: ASGIApp) -> None:
        """From one request to the next: nothing here waits."""
        on_end = _nothing if signer is self._signer else self._signer.close
        if self._membership is not None and loaded.fleet is not self._loaded.fleet:
            self._membership.join(loaded.fleet)
        self._loaded, self._signer = loaded, signer
        self._crowd.limits = _limits(loaded.settings)
        self._current.replace(Generation(app), on_end)
        if self._certificate is not None and loaded.tls is not None:
            self._certificate.replace(loaded.tls.context)


def _limits(settings: Settings) -> Limits:
    return Limits(
        settings.max_connections, settings.max_connections_per_source, settings.trusted_networks
    )


def _nothing() -> None:
    pass


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
