"""The authorization endpoint (RFC 6749 §3.1): who is it, and do they agree?"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from oauth_server import log
from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.grants import consenting
from oauth_server.grants.code_issuing import CodeIssuer
from oauth_server.http import csrf, exchange, form_body, html
from oauth_server.http.destination import destination
from oauth_server.http.login import Login
from oauth_server.http.sessions import LoggedIn, Sessions
from oauth_server.models import Client
from oauth_server.protocol import authorization_request, redirect_uri
from oauth_server.protocol.authorization_request import AuthorizationError, AuthorizationRequest
from oauth_server.store.interface import Consents

LOGOUT_PURPOSE = "logout"


class AuthorizeEndpoint:
    """GET asks; POST is a form of ours, on the same query string, which is validated again."""

    def __init__(
        self,
        issuer: str,
        clients: Mapping[str, Client],
        login: Login,
        sessions: Sessions,
        consents: Consents,
        codes: CodeIssuer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._clients = clients
        self._login = login
        self._sessions = sessions
        self._consents = consents
        self._codes = codes
        self._clock = clock

    async def __call__(self, request: Request) -> Response:
        record = exchange.of(request)
        record.event = "authorize"
        query: bytes = request.scope["query_string"]
        client = authorization_request.client_of(query, self._clients)
        record.fields["client_id"] = client.client_id if client else log.UNKNOWN
        try:
            asked = authorization_request.read(query, self._clients, self._issuer)
            if request.method == "POST":
                return await self._submitted(request, asked)
            return await self._ask(request, asked)
        except AuthorizationError as error:
            return _refused(request, error)

    async def _ask(self, request: Request, asked: AuthorizationRequest) -> Response:
        """The login page, the consent page, or the code for what was allowed before."""
        logged_in = await self._sessions.find(request)
        if logged_in is None:
            return self._login.page(
                request, client_name=_name(asked.client), leads_to=asked.answer.redirect_uri
            )
        exchange.of(request).fields["username"] = logged_in.subject
        if await self._is_allowed(logged_in, asked):
            return await self._issue(request, asked, logged_in)
        return _consent_page(request, asked, logged_in)

    async def _submitted(self, request: Request, asked: AuthorizationRequest) -> Response:
        form = await form_body.read(request)
        action = form.get("action")
        if action == "login":
            return await self._login.submitted(
                request, form, client_name=_name(asked.client), leads_to=asked.answer.redirect_uri
            )
        if action not in {"approve", "deny"}:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, "The form says nothing known.")
        exchange.of(request).event = "consent"
        logged_in = await self._sessions.find(request)
        if logged_in is None:  # the session ended while the page was open
            return html.see_other(f"{request.scope['path']}?{_text(request)}")
        exchange.of(request).fields["username"] = logged_in.subject
        csrf.check(request, form.get("csrf"), logged_in.session_id, _purpose(request))
        if action == "deny":
            raise AuthorizationError(
                asked.answer, ErrorCode.ACCESS_DENIED, "The user denied the request."
            )
        await self._remember(logged_in, asked)
        return await self._issue(request, asked, logged_in)

    async def _is_allowed(self, logged_in: LoggedIn, asked: AuthorizationRequest) -> bool:
        # Any program on the user's machine could pass for this one (RFC 8252 §8.6).
        if not all(map(redirect_uri.is_claimed, asked.client.redirect_uris)):
            return False
        return await self._is_remembered(logged_in, asked)

    async def _is_remembered(self, logged_in: LoggedIn, asked: AuthorizationRequest) -> bool:
        consent = await self._consents.find_consent(logged_in.subject, asked.client.client_id)
        return consenting.covers(consent, asked)

    async def _remember(self, logged_in: LoggedIn, asked: AuthorizationRequest) -> None:
        client_id = asked.client.client_id
        before = await self._consents.find_consent(logged_in.subject, client_id)
        consent = consenting.extended(before, asked, int(self._clock()))
        await self._consents.remember_consent(logged_in.subject, client_id, consent)

    async def _issue(
        self, request: Request, asked: AuthorizationRequest, logged_in: LoggedIn
    ) -> Response:
        issued = await self._codes.issue(asked, logged_in.session)
        # A withdrawal revokes what was given before it: a code that came after it stays here.
        if not await self._is_remembered(logged_in, asked):
            return _consent_page(request, asked, logged_in)
        record = exchange.of(request)
        record.always = True
        record.fields["family"] = issued.family
        return html.see_other(asked.answer.location({"code": issued.code}))


def _refused(request: Request, error: AuthorizationError) -> Response:
    record = exchange.of(request)
    record.error, record.always = error.code.value, True
    if error.reason is not None:
        record.fields["reason"] = error.reason
    return html.see_other(error.location)


def _consent_page(request: Request, asked: AuthorizationRequest, logged_in: LoggedIn) -> Response:
    goes_to = asked.answer.redirect_uri
    context = {
        "action": f"{request.scope['path']}?{_text(request)}",
        "csrf": csrf.token(logged_in.session_id, _purpose(request)),
        "logout_csrf": csrf.token(logged_in.session_id, LOGOUT_PURPOSE),
        "client_name": _name(asked.client),
        "username": logged_in.subject,
        "scopes": asked.scope.split(),
        "audience": asked.client.audience and asked.audience,
        "destination": destination(goes_to),
    }
    return html.page("consent", request, context, leads_to=goes_to)


def _purpose(request: Request) -> str:
    """An approval is for this very request."""
    return "consent:" + hashlib.sha256(request.scope["query_string"]).hexdigest()


def _text(request: Request) -> str:
    query: bytes = request.scope["query_string"]
    return query.decode("latin-1")


def _name(client: Client) -> str:
    return client.client_name or client.client_id
