"""For which resource servers a token is (RFC 8707)."""

from __future__ import annotations

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.models import Client


def audience(resource: str | None, client: Client, issuer: str) -> tuple[str, ...]:
    """The one that was asked for, otherwise all that the client has. Raises ProtocolError."""
    registered = client.audience or (issuer,)
    if resource is None:
        return registered
    if resource not in registered:  # RFC 8707 §2
        raise ProtocolError(
            ErrorCode.INVALID_TARGET, "The client is not registered for this resource."
        )
    return (resource,)
