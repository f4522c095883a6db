"""For which resource servers a token is (RFC 8707)."""

from __future__ import annotations

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.models import Client


def audience(resource: str | None, client: Client, issuer: str) -> tuple[str, ...]:
    """The one that was asked for, otherwise all that the client has. Raises ProtocolError."""
    return narrowed(resource, _registered(client, issuer))


def common(granted: tuple[str, ...], client: Client, issuer: str) -> tuple[str, ...]:
    """What was granted and is still the client's; empty if nothing is."""
    still = _registered(client, issuer)
    return tuple(resource for resource in granted if resource in still)


def narrowed(resource: str | None, granted: tuple[str, ...]) -> tuple[str, ...]:
    """The one that was asked for, otherwise all that were granted. Raises ProtocolError."""
    if resource is None:
        return granted
    if resource not in granted:  # RFC 8707 §2
        raise ProtocolError(ErrorCode.INVALID_TARGET, "The token cannot be for this resource.")
    return (resource,)


def _registered(client: Client, issuer: str) -> tuple[str, ...]:
    return client.audience or (issuer,)
