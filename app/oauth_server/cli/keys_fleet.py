"""`oauth-server keys identity|announcement`: what a deploy tells the other hosts of a fleet."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from oauth_server import settings
from oauth_server.cli import owner
from oauth_server.cli.parsing import Commands, command, config_option
from oauth_server.fleet import identity, statement
from oauth_server.keys import ring as key_ring
from oauth_server.keys.entry import Entry
from oauth_server.keys.layout import RING
from oauth_server.output import say


def add_to(of_keys: Commands) -> None:
    known_by = command(
        of_keys, "identity", _identity, "make this host's identity if there is none; print it"
    )
    said = command(
        of_keys, "announcement", _announcement,
        "print what a deploy pins on the other hosts of a fleet: identity and public keys",
    )  # fmt: skip
    for parser in (known_by, said):
        config_option(parser, settings.DEFAULT_PATH)


def _identity(options: argparse.Namespace) -> int:
    directory = _directory(options)
    say(identity.text(identity.establish(directory).public))
    return 0


def _announcement(options: argparse.Namespace) -> int:
    directory = _directory(options)
    found = key_ring.read(directory / RING, settings.load(options.config).signing.algorithm)
    document = {
        "identity": identity.text(identity.load(directory).public),
        # Times are written up to a second late, and the server may have spoken since.
        "as_of": statement.sequence(_changed(found) - timedelta(seconds=1)),
        "keys": [entry.public.to_jwk() for entry in found],
    }
    say(msgspec.json.encode(document).decode())
    return 0


def _changed(found: Sequence[Entry]) -> datetime:
    """When the ring last changed, so that the same ring is announced in the same words."""
    return max(
        moment
        for entry in found
        for moment in (entry.times.created, entry.times.activated, entry.times.retired)
        if moment is not None
    )


def _directory(options: argparse.Namespace) -> Path:
    named = settings.load(options.config)
    directory = Path(named.keys_directory)
    owner.become(directory)
    return directory
