"""Everything that the settings name, loaded and checked: at the start, and at a reload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from oauth_server import certificate, clients, users
from oauth_server.certificate import ServerCertificate
from oauth_server.clients import Clients
from oauth_server.errors import OperatorError
from oauth_server.fleet import members
from oauth_server.fleet.members import Fleet
from oauth_server.keys import configured
from oauth_server.keys import ring as key_ring
from oauth_server.keys.jose import PublicKey
from oauth_server.keys.ring import KeyRing
from oauth_server.settings import Settings
from oauth_server.users import Users

T = TypeVar("T")


@dataclass(frozen=True)
class Loaded:
    """What a reload loads anew; everything in it was checked.

    `foreign` are the keys of the fleet's other servers, which are not loaded but heard of.
    """

    settings: Settings
    registered: Clients
    ring: KeyRing
    people: Users = field(default_factory=Users)
    tls: ServerCertificate | None = None
    fleet: Fleet | None = None
    foreign: Sequence[PublicKey] = ()

    @property
    def published(self) -> Sequence[PublicKey]:
        return (*self.ring.published, *self.foreign)


def load(settings: Settings, *, secure: bool) -> Loaded:
    """Everything that the settings name, all of it checked. Raises OperatorError."""
    problems: list[str] = []

    def attempt(loader: Callable[[], T]) -> T | None:
        try:
            return loader()
        except OperatorError as error:
            problems.extend(error.problems)
            return None

    registered = attempt(lambda: clients.load(Path(settings.clients_file)))
    people = attempt(lambda: users.load(Path(settings.users_file)))
    keys = attempt(lambda: ring(settings))
    tls = attempt(lambda: certificate.load(settings)) if secure else None
    fleet = attempt(lambda: members.load(Path(settings.fleet_file)))
    if registered is not None and people is not None:
        attempt(lambda: users.check_apart(Path(settings.users_file), people, registered))
    if problems or registered is None or people is None or keys is None:
        raise OperatorError(*problems)
    return Loaded(settings, registered, keys, people, tls, fleet)


def ring(settings: Settings) -> KeyRing:
    return key_ring.load(
        Path(settings.keys_directory), settings.signing.algorithm, configured.source(settings)
    )


def check_change(old: Loaded, new: Loaded) -> None:
    """What a running server cannot change, or must not. Raises OperatorError."""
    if old.ring.active is not None and new.ring.active is None:
        # A joining host's ring has none; in the place of one that signs it is a lost ring.
        raise OperatorError(f"{new.settings.keys_directory}: no key signs any more")
    if old.tls is not None and new.tls is not None:
        certificate.check_no_worse(old.tls, new.tls, new.settings.issuer)
    changed = [
        name
        for name in ("store", "log_file", "keys_directory", "state_directory", "clock_report")
        if getattr(old.settings, name) != getattr(new.settings, name)
    ]
    if changed:
        raise OperatorError(*(f"{name} has changed, which needs a restart" for name in changed))
