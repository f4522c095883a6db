"""What ends when a client gives a token back (RFC 7009 §2.1)."""

from __future__ import annotations

from datetime import timedelta

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.grants import digests
from oauth_server.grants.presentation import Finding, State, Verifier
from oauth_server.models import Client
from oauth_server.protocol import refresh_token
from oauth_server.protocol.claims import ClaimsError
from oauth_server.protocol.refresh_token import RefreshTokenValue
from oauth_server.store.interface import Replay, RevocationKind


class Revocation:
    """Either token of a family ends all of it; one that a client bought for itself ends alone.

    `leeway` is how long after its end a token may still be accepted somewhere.
    """

    def __init__(self, verifier: Verifier, state: State, leeway: timedelta) -> None:
        self._verifier = verifier
        self._state = state
        self._leeway = leeway

    async def revoke(self, client: Client, token: str) -> Finding:
        """End what this client's token stands for; again, or what is no token, is no error.

        Raises ProtocolError for another client's token, UnavailableError if nothing was ended.
        """
        value = refresh_token.parse(token)
        if value is not None:
            return await self._refresh_token(client, value)
        try:
            found = self._verifier.verify(token)
        except ClaimsError as error:  # RFC 7009 §2.2: its end is what the client wanted
            return Finding(error.reason)
        if found.client_id != client.client_id:
            raise _another_clients()
        if found.family is not None:
            await self._state.revoke(RevocationKind.FAMILY, found.family)
            return Finding(jti=found.jti, family=found.family, revoked=RevocationKind.FAMILY)
        # Once for who verifies it, and once more as their clock may be behind the store's.
        until = found.expires + 2 * int(self._leeway.total_seconds())
        await self._state.revoke(RevocationKind.JTI, found.jti, until=until)
        return Finding(jti=found.jti, revoked=RevocationKind.JTI)

    async def _refresh_token(self, client: Client, value: RefreshTokenValue) -> Finding:
        token = digests.of(value)
        found = await self._state.find_refresh_token(token)
        if found is not None:
            authorization, _ = found
            if authorization.client_id != client.client_id:
                raise _another_clients()
            await self._state.revoke(RevocationKind.FAMILY, authorization.family)
            return Finding(family=authorization.family, revoked=RevocationKind.FAMILY)
        # One that was rotated already: to show it ends the family, here as at a refresh.
        shown = await self._state.present_refresh_token(token, client.client_id, grace=timedelta(0))
        if isinstance(shown, Replay):
            return Finding(family=shown.family, revoked=RevocationKind.FAMILY)
        return Finding("refresh_token_not_valid")


def _another_clients() -> ProtocolError:
    # RFC 6749 §5.2: "or was issued to another client".
    return ProtocolError(
        ErrorCode.INVALID_GRANT, "The token is another client's.", reason="token_not_the_clients"
    )
