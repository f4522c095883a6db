"""What a command says for its host in the fleet, when it cannot wait for the running server."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from oauth_server.errors import OperatorError
from oauth_server.fleet import identity, record, statement
from oauth_server.fleet.statement import Statement
from oauth_server.keys import ring as key_ring
from oauth_server.keys.layout import RING


def of_ring(directory: Path, state: Path, host: str, issuer: str, now: datetime) -> str:
    """A statement with the ring's keys. Raises OperatorError.

    It follows what the server said last, as `state` (fleet-state.json) has it: the clock may have
    been set back since, or they speak in the same moment.

    It says nothing of what the host publishes: that is for the server, which speaks up again as
    soon as it finds somebody else's words in its place.
    """
    keys = tuple(entry.public for entry in key_ring.read(directory / RING))
    try:
        before = record.load(state, issuer).sequence
    except OperatorError:  # damaged, which the server says: what is removed must be said now
        before = 0
    place = statement.sequence(now, before)
    said = Statement(host, issuer, place, int(now.timestamp()), keys, ())
    return statement.sign(identity.load(directory), said)
