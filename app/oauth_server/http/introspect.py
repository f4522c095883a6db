"""The introspection endpoint (RFC 7662)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.grants.introspection import Introspection
from oauth_server.http import presented, responses
from oauth_server.http.client_authentication import AuthenticatedForm
from oauth_server.models import AuthMethod


class IntrospectEndpoint:
    def __init__(self, form: AuthenticatedForm, introspection: Introspection) -> None:
        self._form = form
        self._introspection = introspection

    async def __call__(self, request: Request) -> Response:
        client, token = await presented.read(request, "introspect", self._form)
        # RFC 7662 §2.1: who asks must prove who it is, and a public client cannot.
        if client.token_endpoint_auth_method is AuthMethod.NONE:
            raise ProtocolError(
                ErrorCode.INVALID_CLIENT, "Client authentication failed.", reason="public_client"
            )
        answer, finding = await self._introspection.introspect(client, token)
        presented.note(request, finding)
        return responses.json(answer)
