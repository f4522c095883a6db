"""What a user's authorization still gives when a client presents it."""

from __future__ import annotations

from collections.abc import Callable

from oauth_server.errors import ErrorCode, ProtocolError, ReplayError
from oauth_server.grants.interface import Issued
from oauth_server.grants.tokens import AccessTokens
from oauth_server.models import Authorization, Client
from oauth_server.protocol import resource, scope
from oauth_server.protocol.refresh_token import RefreshTokenValue
from oauth_server.store.interface import Replay


class DelegatedTokens:
    """`is_active` tells whether a subject may still log in."""

    def __init__(self, tokens: AccessTokens, issuer: str, is_active: Callable[[str], bool]) -> None:
        self._tokens = tokens
        self._issuer = issuer
        self._is_active = is_active

    async def issue(
        self,
        authorization: Authorization,
        client: Client,
        refresh_token: RefreshTokenValue | None,
        *,
        requested_scope: str | None = None,
        requested_resource: str | None = None,
    ) -> Issued:
        """Raises ProtocolError."""
        if not self._is_active(authorization.subject):
            raise refused("user_not_active")
        # What the client lost since then by a change of its registration is not given any more.
        granted = scope.common(authorization.scope, client.scope)
        if not granted:
            raise refused("scope_withdrawn")
        audience = resource.common(authorization.audience, client, self._issuer)
        if not audience:
            raise refused("audience_withdrawn")
        return await self._tokens.issue(
            client_id=client.client_id,
            subject=authorization.subject,
            audience=resource.narrowed(requested_resource, audience),
            scope=scope.narrowed(requested_scope, granted),
            refresh_token=refresh_token,
            family=authorization.family,
        )


def accept(outcome: Authorization | Replay | None, what: str) -> Authorization:
    """The authorization that a store gave, or why there is none. Raises ProtocolError."""
    match outcome:
        case Authorization():
            return outcome
        case Replay(family=family):
            raise ReplayError(f"{what}_replayed", family)
        case None:
            raise refused(f"{what}_not_valid")


def refused(reason: str) -> ProtocolError:
    """One answer for all reasons (RFC 6749 §5.2): only the log tells them apart."""
    return ProtocolError(ErrorCode.INVALID_GRANT, "The grant is not valid.", reason=reason)
