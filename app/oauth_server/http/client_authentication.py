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
        headers = _headers(request)
        content_type = _text(headers.get(b"content-type"))
        parameters = form.parse(content_type, await body.read(request, form.MAX_BODY))
        claimed = credentials.read(_text(headers.get(b"authorization")), parameters)
        known = self._authenticator.is_known(claimed.client_id)
        exchange.of(request).fields["client_id"] = claimed.client_id if known else log.UNKNOWN
        return await self._authenticator.authenticate(claimed), parameters


def _headers(request: Request) -> dict[bytes, bytes]:
    """Raises ProtocolError if there are two of one that is read here."""
    sent = request.scope["headers"]
    headers = dict(sent)
    if len(headers) < len(sent):
        names = [name for name, _ in sent]
        for name in (b"content-type", b"authorization"):
            if names.count(name) > 1:
                raise ProtocolError(
                    ErrorCode.INVALID_REQUEST, f"There is more than one {name.decode()} header."
                )
    return headers


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
