"""Client authentication (RFC 6749 §2.3, RFC 7523 §3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.keys import jwk, verification
from oauth_server.models import AuthMethod, Client
from oauth_server.protocol import assertion, client_secret
from oauth_server.protocol.claims import ClaimsError
from oauth_server.protocol.credentials import Credentials
from oauth_server.protocol.jws import Jws
from oauth_server.store.interface import Assertions


class ClientAuthenticator:
    """`leeway` is how far a client's clock may be off; `clock` gives seconds since the epoch."""

    def __init__(
        self,
        clients: Mapping[str, Client],
        assertions: Assertions,
        issuer: str,
        leeway: timedelta,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clients = clients
        self._assertions = assertions
        self._issuer = issuer
        self._leeway = leeway
        self._clock = clock
        self._keys = {
            client.client_id: {key.kid: key for key in map(jwk.read, client.jwks.keys)}
            for client in clients.values()
            if client.jwks is not None
        }

    def is_known(self, client_id: str) -> bool:
        return client_id in self._clients

    async def authenticate(self, credentials: Credentials) -> Client:
        """The client that these credentials prove. Raises ProtocolError.

        The same work is done for a client that does not exist, a hash or a verification, and the
        answer is the same, so that neither tells which client_ids there are.
        """
        client = self._clients.get(credentials.client_id)
        if credentials.assertion is not None:
            proved = verification.verifies(
                credentials.assertion, self._keys.get(credentials.client_id, {})
            )
        else:
            proved = client_secret.verifies(
                credentials.client_secret, client.client_secret_hash if client else None
            )
        if client is None:
            raise _refused("unknown_client")
        # RFC 7591 §2: a client has one method, and no weaker one beside it.
        if credentials.method is not client.token_endpoint_auth_method:
            raise _refused("method_not_registered")
        if credentials.assertion is not None:
            if not proved:
                raise _refused("assertion_signature")
            await self._check(credentials.assertion)
        elif not proved and client.token_endpoint_auth_method is not AuthMethod.NONE:
            raise _refused("wrong_secret")
        return client

    async def _check(self, sent: Jws) -> None:
        """What the signed assertion says, and that it says so for the first time."""
        now = self._clock()
        try:
            found = assertion.read(sent, issuer=self._issuer, now=now, leeway=self._leeway)
        except ClaimsError as error:
            raise _refused(error.reason) from None
        # Remembered until it has expired: it is refused for that from then on. By the clock of
        # another server, which may be behind this one's, that is later.
        lifetime = timedelta(seconds=found.expires - now) + self._leeway
        first = await self._assertions.use_assertion(found.client_id, found.jti, lifetime=lifetime)
        if not first:  # RFC 7523 §3, point 7
            raise _refused("assertion_replayed")


def _refused(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.INVALID_CLIENT, "Client authentication failed.", reason=reason)
