"""What a user has allowed before: a scope, at each of the resource servers that they were told."""

from __future__ import annotations

from oauth_server.protocol.authorization_request import AuthorizationRequest
from oauth_server.store.interface import Consent


def covers(consent: Consent | None, request: AuthorizationRequest) -> bool:
    """Whether all that is asked for was allowed already, and everywhere that it is asked for.

    A scope for one resource server may mean more at another (RFC 8707 §3).
    """
    asked = set(request.scope.split())
    return consent is not None and all(
        asked <= set(consent.at.get(resource, "").split()) for resource in request.audience
    )


def extended(before: Consent | None, request: AuthorizationRequest, now: int) -> Consent:
    """What is allowed once this request is, too; `now` is seconds since the epoch."""
    at = dict(before.at) if before else {}
    for resource in request.audience:
        at[resource] = _united(at.get(resource, ""), request.scope)
    scope = _united(before.scope if before else "", request.scope)
    return Consent(scope=scope, at=at, given_at=now)


def _united(one: str, other: str) -> str:
    return " ".join(dict.fromkeys([*one.split(), *other.split()]))
