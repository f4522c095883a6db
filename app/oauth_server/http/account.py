"""What a user has allowed, to be looked at and withdrawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from starlette.requests import Request
from starlette.responses import Response

from oauth_server import log
from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.http import csrf, exchange, form_body, html
from oauth_server.http.authorize import LOGOUT_PURPOSE
from oauth_server.http.login import Login
from oauth_server.http.sessions import LoggedIn, Sessions
from oauth_server.models import Client
from oauth_server.store.interface import Consents

PATH = "/account"
_PURPOSE = "account"


@dataclass(frozen=True)
class Allowed:
    client_id: str
    name: str
    scopes: list[str]
    since: str


class AccountEndpoint:
    def __init__(
        self, clients: Mapping[str, Client], login: Login, sessions: Sessions, consents: Consents
    ) -> None:
        self._clients = clients
        self._login = login
        self._sessions = sessions
        self._consents = consents

    async def __call__(self, request: Request) -> Response:
        exchange.of(request).event = "account"
        form = await form_body.read(request) if request.method == "POST" else {}
        if form.get("action") == "login":
            return await self._login.submitted(request, form)
        logged_in = await self._sessions.find(request)
        if logged_in is None:
            if request.method == "POST":
                return html.see_other(PATH)
            return self._login.page(request)
        if request.method == "POST":
            return await self._withdraw(request, form, logged_in)
        return await self._show(request, logged_in)

    async def _show(self, request: Request, logged_in: LoggedIn) -> Response:
        consents = await self._consents.list_consents(logged_in.subject)
        allowed = [
            Allowed(
                client_id,
                self._name(client_id),
                consent.scope.split(),
                datetime.fromtimestamp(consent.given_at, timezone.utc).strftime("%Y-%m-%d"),
            )
            for client_id, consent in consents.items()
        ]
        context = {
            "username": logged_in.subject,
            "allowed": sorted(allowed, key=lambda entry: entry.name.lower()),
            "csrf": csrf.token(logged_in.session_id, _PURPOSE),
            "logout_csrf": csrf.token(logged_in.session_id, LOGOUT_PURPOSE),
            "withdrawn": request.scope["query_string"] == b"withdrawn",
        }
        return html.page("account", request, context)

    async def _withdraw(
        self, request: Request, form: Mapping[str, str], logged_in: LoggedIn
    ) -> Response:
        record = exchange.of(request)
        record.event, record.always = "withdraw", True
        record.fields["username"] = logged_in.subject
        csrf.check(request, form.get("csrf"), logged_in.session_id, _PURPOSE)
        client_id = form.get("client_id", "")
        if form.get("action") != "withdraw":
            raise ProtocolError(ErrorCode.INVALID_REQUEST, "The form says nothing known.")
        # A client that is gone may have left something to withdraw.
        given = await self._consents.list_consents(logged_in.subject)
        known = client_id in given or client_id in self._clients
        record.fields["client_id"] = client_id if known else log.UNKNOWN
        if known:
            await self._consents.withdraw_consent(logged_in.subject, client_id)
            record.revoked = "family"
        return html.see_other(f"{PATH}?withdrawn")

    def _name(self, client_id: str) -> str:
        client = self._clients.get(client_id)
        return client.client_name or client_id if client else client_id
