"""Rings to try things on, and what makes one valid."""

from __future__ import annotations

import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

from oauth_server.keys import lifecycle, ring
from oauth_server.keys.entry import Entry, State
from oauth_server.keys.layout import SHORTCUTS
from oauth_server.keys.served import Served
from oauth_server.keys.timing import Timing
from oauth_server.keys.transitions import Policy
from oauth_server.models import Algorithm

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
POLICY = Policy(Algorithm.EDDSA, Timing())
"""Of the kind of key that is quickest made."""


def entries(directory: Path, state: State) -> list[Entry]:
    return [entry for entry in ring.read(directory / "ring") if entry.state is state]


def active(directory: Path) -> Entry:
    (entry,) = entries(directory, State.ACTIVE)
    return entry


def served(directory: Path, since: datetime) -> Served:
    """Every key of the ring, since then."""
    return Served({entry.kid: {"self": since} for entry in ring.read(directory / "ring")})


def rotated(directory: Path, now: datetime) -> None:
    known = served(directory, now - POLICY.timing.publication)
    assert lifecycle.rotate(directory, POLICY, now, known).happened


def assert_loads(directory: Path) -> None:
    """A server could start now: one key signs, and it is published."""
    loaded = ring.load(directory)
    assert loaded.signs_with is not None
    assert loaded.signs_with[0] in {key.kid for key in loaded.published}


def assert_private(directory: Path) -> None:
    """Nobody but the owner could read a private half, in whatever state it was."""
    for path in directory.rglob("*"):
        if "private" in path.name and path.is_file() and not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def assert_valid(directory: Path, now: datetime, policy: Policy = POLICY) -> None:
    assert_loads(directory)
    assert_private(directory)
    signs = active(directory)
    assert signs.times.activated is not None
    assert signs.times.retired is None
    policy.source.open(signs.path, signs.public)
    pending = entries(directory, State.PENDING)
    assert pending
    for entry in pending:
        assert entry.public.algorithm is policy.algorithm
        policy.source.open(entry.path, entry.public)
    for entry in entries(directory, State.RETIRING):
        assert not entry.has_private
        assert entry.times.retired is not None
        assert entry.times.retired <= now
        assert entry.until(policy.timing) is not None
    names = {path.name for path in (directory / "ring").iterdir()}
    assert not {name for name in names if name.startswith(".")}
    for name, half in SHORTCUTS.items():
        assert str((directory / name).readlink()) == f"ring/active/{half}"
    assert not list(directory.rglob("*.new"))
