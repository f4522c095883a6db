"""What the log will say of one request; endpoints add to it while they answer."""

from __future__ import annotations

import itertools
import secrets

import msgspec
from starlette.requests import HTTPConnection
from starlette.types import Scope

# Unique, not secret: a random number for each would be a system call in which threads meet.
_numbers = itertools.count(secrets.randbits(63))
_KEY = "oauth_server.exchange"


class Exchange(msgspec.Struct):
    """`always` logs successes, too; of others only failures are worth a line.

    `revoked` is the kind of what was revoked, if anything was.
    """

    address: str
    event: str = "request"
    always: bool = False
    error: str = ""
    revoked: str = ""
    fields: dict[str, str] = {}
    request_id: str = msgspec.field(default_factory=lambda: f"{next(_numbers):016x}")


def attach(scope: Scope, exchange: Exchange) -> None:
    scope[_KEY] = exchange


def of(connection: HTTPConnection) -> Exchange:
    exchange = connection.scope[_KEY]
    assert isinstance(exchange, Exchange)  # noqa: S101 - the boundary has attached it
    return exchange
