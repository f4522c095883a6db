"""A part of the Redis store, and what the parts send alike."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

import msgspec

from oauth_server.errors import UnavailableError
from oauth_server.models import Authorization
from oauth_server.store.interface import Replay
from oauth_server.store.redis.connections import Connections

REVOCATIONS = ["revocations", "oauth:revocations"]
"""The keys of each script that may revoke: the stream, and when each of its entries is over."""

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Part:
    def __init__(self, redis: Connections) -> None:
        self._redis = redis


def milliseconds(span: timedelta) -> int:
    """At least one: Redis takes no expiry of zero."""
    return max(1, span // timedelta(milliseconds=1))


def encoded(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()


def decoded(text: str, kind: type[_Struct]) -> _Struct:
    """Raises UnavailableError for what another version or another program has written."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise UnavailableError(
            "The store holds what this server does not understand.", reason="store_unreadable"
        ) from error


def outcome(reply: list[str] | None) -> Authorization | Replay | None:
    """What a script that judges a code or a token returns."""
    if reply is None:
        return None
    kind, value = reply
    return Replay(value) if kind == "replay" else decoded(value, Authorization)
