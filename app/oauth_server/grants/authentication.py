"""Client authentication at the token endpoint (RFC 6749 §2.3, §3.2.1)."""

from __future__ import annotations

from collections.abc import Mapping

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.models import AuthMethod, Client
from oauth_server.protocol import client_secret
from oauth_server.protocol.credentials import Credentials


class ClientAuthenticator:
    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._clients = clients

    def is_known(self, client_id: str) -> bool:
        return client_id in self._clients

    def authenticate(self, credentials: Credentials) -> Client:
        """The client that these credentials prove. Raises ProtocolError.

        The same hash is made and compared for a client that does not exist, and the answer is
        the same, so that neither tells which client_ids there are.
        """
        client = self._clients.get(credentials.client_id)
        proved = client_secret.verifies(
            credentials.client_secret, client.client_secret_hash if client else None
        )
        if client is None:
            raise _refused("unknown_client")
        # RFC 7591 §2: a client has one method, and no weaker one beside it.
        if credentials.method is not client.token_endpoint_auth_method:
            raise _refused("method_not_registered")
        if not proved and client.token_endpoint_auth_method is not AuthMethod.NONE:
            raise _refused("wrong_secret")
        return client


def _refused(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.INVALID_CLIENT, "Client authentication failed.", reason=reason)
