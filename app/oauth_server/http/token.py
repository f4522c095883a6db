"""The token endpoint (RFC 6749 §3.2)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from oauth_server import log
from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.grants.authentication import ClientAuthenticator
from oauth_server.grants.interface import Grant
from oauth_server.http import body, exchange, responses
from oauth_server.models import Client, GrantType
from oauth_server.protocol import credentials, form


class TokenEndpoint:
    def __init__(
        self, authenticator: ClientAuthenticator, grants: Mapping[GrantType, Grant]
    ) -> None:
        self._authenticator = authenticator
        self._grants = grants

    async def __call__(self, request: Request) -> Response:
        record = exchange.of(request)
        record.event, record.always = "token", True
        parameters = await _parameters(request)
        client = self._authenticate(request, parameters)
        grant_type = self._grant_type(client, parameters)
        record.fields["grant_type"] = grant_type.value
        issued = await self._grants[grant_type].exchange(client, parameters)
        record.fields["jti"] = issued.jti
        if issued.family is not None:
            record.fields["family"] = issued.family
        return responses.json(issued.response)

    def _authenticate(self, request: Request, parameters: Mapping[str, str]) -> Client:
        claimed = credentials.read(_single_header(request, "authorization"), parameters)
        known = self._authenticator.is_known(claimed.client_id)
        exchange.of(request).fields["client_id"] = claimed.client_id if known else log.UNKNOWN
        return self._authenticator.authenticate(claimed)

    def _grant_type(self, client: Client, parameters: Mapping[str, str]) -> GrantType:
        requested = parameters.get("grant_type")
        if requested is None:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, "The grant_type is missing.")
        for grant_type in self._grants:
            if grant_type.value == requested:
                break
        else:
            raise ProtocolError(
                ErrorCode.UNSUPPORTED_GRANT_TYPE, "The grant_type is not supported."
            )
        if grant_type not in client.grant_types:
            raise ProtocolError(
                ErrorCode.UNAUTHORIZED_CLIENT, "The client is not registered for this grant_type."
            )
        return grant_type


async def _parameters(request: Request) -> Mapping[str, str]:
    if request.scope["query_string"]:  # RFC 6749 §2.3.1: URIs end up in logs
        raise ProtocolError(ErrorCode.INVALID_REQUEST, "Parameters belong into the body.")
    content_type = _single_header(request, "content-type")
    return form.parse(content_type, await body.read(request, form.MAX_BODY))


def _single_header(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, f"There is more than one {name} header.")
    return values[0] if values else None
