"""The end of a session."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from oauth_server.http import csrf, exchange, form_body, html
from oauth_server.http.authorize import LOGOUT_PURPOSE
from oauth_server.http.sessions import Sessions

PATH = "/logout"


class LogoutEndpoint:
    """GET asks, as a link or an image elsewhere must not log anybody out; POST does it."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def __call__(self, request: Request) -> Response:
        record = exchange.of(request)
        record.event = "logout"
        logged_in = await self._sessions.find(request)
        if request.method != "POST":
            context = {
                "username": logged_in.subject if logged_in else None,
                "csrf": csrf.token(logged_in.session_id, LOGOUT_PURPOSE) if logged_in else None,
            }
            return html.page("logout", request, context)
        form = await form_body.read(request)
        response = html.see_other(PATH)
        if logged_in is not None:
            record.always = True
            record.fields["username"] = logged_in.subject
            csrf.check(request, form.get("csrf"), logged_in.session_id, LOGOUT_PURPOSE)
        await self._sessions.close(request, response)
        return response
