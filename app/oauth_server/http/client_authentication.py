"""The form of a client that says who it is: at /token, /revoke and /introspect alike."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request

from oauth_server import log
from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.grants.authentication import ClientAuthenticator
from oauth_server.http import body, exchange
from oauth_server.models import Client
from oauth_server.protocol import credentials, form


class AuthenticatedForm:
    def __init__(self, authenticator: ClientAuthenticator) -> None:
        self._authenticator = authenticator

    async def read(self, request: Request) -> tuple[Client, Mapping[str, str]]:
        """The client, which the log names from now on, and what it sent. Raises ProtocolError."""
        if request.scope["query_string"]:  # RFC 6749 §2.3.1: URIs end up in logs
            raise ProtocolError(ErrorCode.INVALID_REQUEST, "Parameters belong into the body.")
        content_type = _single_header(request, b"content-type")
        parameters = form.parse(content_type, await body.read(request, form.MAX_BODY))
        claimed = credentials.read(_single_header(request, b"authorization"), parameters)
        known = self._authenticator.is_known(claimed.client_id)
        exchange.of(request).fields["client_id"] = claimed.client_id if known else log.UNKNOWN
        return await self._authenticator.authenticate(claimed), parameters


def _single_header(request: Request, name: bytes) -> str | None:
    values = [value for key, value in request.scope["headers"] if key == name]
    if len(values) > 1:
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST, f"There is more than one {name.decode()} header."
        )
    return values[0].decode("latin-1") if values else None
