"""The token endpoint (RFC 6749 §3.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.grants.interface import Grant
from oauth_server.http import exchange, responses
from oauth_server.http.client_authentication import AuthenticatedForm
from oauth_server.models import Client, GrantType


class TokenEndpoint:
    """`check_room` raises UnavailableError when no token can be signed now."""

    def __init__(
        self,
        form: AuthenticatedForm,
        grants: Mapping[GrantType, Grant],
        check_room: Callable[[], None],
    ) -> None:
        self._form = form
        self._grants = grants
        self._grant_types = {grant_type.value: grant_type for grant_type in grants}
        self._check_room = check_room

    async def __call__(self, request: Request) -> Response:
        record = exchange.of(request)
        record.event, record.always = "token", True
        # Before anything is done for it: the surplus must cost those who are served nothing.
        self._check_room()
        client, parameters = await self._form.read(request)
        grant_type = self._grant_type(client, parameters)
        record.fields["grant_type"] = parameters["grant_type"]
        issued = await self._grants[grant_type].exchange(client, parameters)
        record.fields["jti"] = issued.jti
        if issued.family is not None:
            record.fields["family"] = issued.family
        return responses.json(issued.response)

    def _grant_type(self, client: Client, parameters: Mapping[str, str]) -> GrantType:
        requested = parameters.get("grant_type")
        if requested is None:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, "The grant_type is missing.")
        grant_type = self._grant_types.get(requested)
        if grant_type is None:
            raise ProtocolError(
                ErrorCode.UNSUPPORTED_GRANT_TYPE, "The grant_type is not supported."
            )
        if grant_type not in client.grant_types:
            raise ProtocolError(
                ErrorCode.UNAUTHORIZED_CLIENT, "The client is not registered for this grant_type."
            )
        return grant_type
