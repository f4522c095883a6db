"""The revocation endpoint (RFC 7009)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from oauth_server.grants.revocation import Revocation
from oauth_server.http import presented, responses
from oauth_server.http.client_authentication import AuthenticatedForm


class RevokeEndpoint:
    def __init__(self, form: AuthenticatedForm, revocation: Revocation) -> None:
        self._form = form
        self._revocation = revocation

    async def __call__(self, request: Request) -> Response:
        client, token = await presented.read(request, "revoke", self._form)
        presented.note(request, await self._revocation.revoke(client, token))
        return responses.empty()
