"""What a command says for its host in the fleet, when it cannot wait for the running server."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from oauth_server.fleet import identity, statement
from oauth_server.fleet.statement import Statement
from oauth_server.keys import ring as key_ring
from oauth_server.keys.layout import RING


def of_ring(directory: Path, host: str, issuer: str, now: datetime) -> str:
    """A statement with the ring's keys. Raises OperatorError.

    It says nothing of what the host publishes: that is for the server, which speaks up again as
    soon as it finds somebody else's words in its place.
    """
    keys = tuple(entry.public for entry in key_ring.read(directory / RING))
    said = Statement(host, issuer, statement.sequence(now), int(now.timestamp()), keys, ())
    return statement.sign(identity.load(directory), said)
