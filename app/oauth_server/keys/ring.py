"""The key ring on disk, read: `ring/<kid>/`, one directory a key, and `ring/active`, a symlink."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from oauth_server.errors import OperatorError
from oauth_server.keys import entry as entry_file
from oauth_server.keys.entry import Entry, State
from oauth_server.keys.jose import PublicKey
from oauth_server.keys.layout import ACTIVE, RING
from oauth_server.keys.pkcs11.key import TokenKey
from oauth_server.keys.pkcs11.process import Access
from oauth_server.keys.source import ActiveKey, FileKeys, KeySource
from oauth_server.models import Algorithm

_READ_AGAIN = 5


class Mark(NamedTuple):
    """Tells one state of a ring from another: every change moves a name in it."""

    active: str | None
    names: Sequence[str]


@dataclass(frozen=True)
class KeyRing:
    """The key that signs, and every public key that verifiers may need.

    `active` is None on a host that has joined a fleet and may not sign yet. `made` is when the
    active key was, `states` counts the keys.
    """

    active: ActiveKey | None
    published: Sequence[PublicKey]
    mark: Mark | None = None
    made: datetime | None = None
    states: Mapping[State, int] = field(default_factory=dict)

    @property
    def access(self) -> Access | None:
        """How to get to the active key, if a token has it."""
        return self.active.access if isinstance(self.active, TokenKey) else None

    @property
    def signs_with(self) -> tuple[str, Algorithm] | None:
        """The active key's kid and algorithm."""
        return (
            None if self.active is None else (self.active.public.kid, self.active.public.algorithm)
        )

    @property
    def is_withheld(self) -> bool:
        """Whether the active key is not published: what it signs, nobody must believe."""
        return self.active is not None and self.active.public.kid not in self.kids

    @property
    def kids(self) -> Set[str]:
        """Of what is published."""
        return {key.kid for key in self.published}

    def without(self, kids: Collection[str]) -> KeyRing:
        """The same, and these keys are published no more."""
        return replace(self, published=[key for key in self.published if key.kid not in kids])


def load(
    directory: Path, rsa: Algorithm = Algorithm.RS256, source: KeySource | None = None
) -> KeyRing:
    """The ring in a keys directory, each public key checked, and the active pair.

    Keys may be of several kinds, as after a change of the algorithm; `rsa` is what an RSA key is
    for that does not say so itself. Raises OperatorError.
    """
    ring = directory / RING
    # First: what changes from now on makes another mark.
    before = mark(ring)
    found = read(ring, rsa)
    active = next((entry for entry in found if entry.is_active), None)
    # Without one a host has joined a fleet, or somebody removed the link of one that signs.
    if active is None and any(entry.was_activated for entry in found):
        raise OperatorError(f"{ring / ACTIVE}: there is none; `oauth-server keys init` makes it")
    opened = None if active is None else (source or FileKeys()).open(active.path, active.public)
    return KeyRing(
        active=opened,
        published=[entry.public for entry in found],
        mark=before,
        made=None if active is None else active.times.created,
        states=Counter(entry.state for entry in found),
    )


def mark(ring: Path) -> Mark:
    """What the ring looks like now. Raises OperatorError."""
    try:
        names = sorted(path.name for path in entries(ring))
        link = ring / ACTIVE
        return Mark(str(link.readlink()) if link.is_symlink() else None, names)
    except OSError as error:
        raise _unreadable(ring, error) from None


def read(ring: Path, rsa: Algorithm = Algorithm.RS256) -> Sequence[Entry]:
    """Every key of the ring, by kid. Raises OperatorError."""
    for _ in range(_READ_AGAIN):
        before = mark(ring)
        try:
            return _read(ring, rsa)
        except OperatorError:
            # Whoever reads has no lock: what was listed may have been removed since.
            if mark(ring) == before:
                raise
    return _read(ring, rsa)


def _read(ring: Path, rsa: Algorithm) -> Sequence[Entry]:
    try:
        paths = entries(ring)
    except OSError as error:
        raise _unreadable(ring, error) from None
    # One that never had an active key is a joining host's.
    kid = active_kid(ring) if os.path.lexists(ring / ACTIVE) else None
    found = [entry_file.load(path, active=path.name == kid, rsa=rsa_for(rsa)) for path in paths]
    if not found:
        raise OperatorError(f"{ring}: has no key; `oauth-server keys init` makes one")
    return found


def entries(ring: Path) -> Sequence[Path]:
    """Every key's directory, in order; not what is being made or removed. Raises OSError."""
    return sorted(
        path for path in ring.iterdir() if path.name != ACTIVE and not path.name.startswith(".")
    )


def active_kid(ring: Path) -> str:
    """The kid that `ring/active` points to. Raises OperatorError."""
    link = ring / ACTIVE
    try:
        kid = str(link.readlink())
    except FileNotFoundError:
        raise OperatorError(f"{link}: there is none; `oauth-server keys init` makes it") from None
    except OSError:
        raise OperatorError(f"{link}: is not a symbolic link to a key of the ring") from None
    # One component: a link out of the ring would sign with a key that is not published.
    if kid in {"", ".", ".."} or "/" in kid or not (ring / kid).is_dir():
        raise OperatorError(f"{link}: does not point to a key of the ring")
    return kid


def rsa_for(algorithm: Algorithm) -> Algorithm:
    """An RSA key could be for two algorithms, and has to be for one (RFC 8725 §3.1)."""
    return algorithm if algorithm is Algorithm.PS256 else Algorithm.RS256


def _unreadable(ring: Path, error: OSError) -> OperatorError:
    hint = "; `oauth-server keys init` makes it" if isinstance(error, FileNotFoundError) else ""
    return OperatorError(f"{ring}: {error.strerror}{hint}")
