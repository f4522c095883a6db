"""The pages without a network: addresses, clock and hashes are the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
from argon2 import low_level
from argon2.exceptions import VerifyMismatchError
from starlette.types import ASGIApp, Receive, Scope, Send

from oauth_server.grants.code_issuing import CodeIssuer
from oauth_server.http import html
from oauth_server.http.account import AccountEndpoint
from oauth_server.http.app import Endpoint, Route, Routes
from oauth_server.http.authorize import AuthorizeEndpoint
from oauth_server.http.boundary import Boundary
from oauth_server.http.client_address import ClientAddress
from oauth_server.http.login import Login
from oauth_server.http.logout import LogoutEndpoint
from oauth_server.http.responses import ErrorResponses
from oauth_server.http.sessions import Sessions
from oauth_server.models import AuthMethod, Client, GrantType
from oauth_server.passwords import PasswordChecker
from oauth_server.store.memory import MemoryStore
from oauth_server.users import User, Users
from tests.server.conftest import PASSWORD
from tests.server.person import Form, Page

HOST = "id.example.com"


class Lines:
    """A log to be read by the test."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: bytes) -> None:
        self.lines.append(line.decode("ascii"))


def client(**changes: Any) -> Client:
    return Client(
        **{
            "client_id": "web",
            "grant_types": (GrantType.AUTHORIZATION_CODE,),
            "scope": "telemetry:read",
            "token_endpoint_auth_method": AuthMethod.NONE,
            "redirect_uris": ("https://web.example.com/callback",),
            **changes,
        }
    )


class Inside:
    """A server for these users and clients; `now` can be moved."""

    def __init__(self, users: Sequence[User], clients: Sequence[Client] = (client(),)) -> None:
        self.now = 1_800_000_000.0
        self.store = MemoryStore(lambda: self.now)
        self.log = Lines()
        self.checker = PasswordChecker()
        self.loop = asyncio.new_event_loop()
        self._clients = {entry.client_id: entry for entry in clients}
        self.take_over(users)

    def take_over(self, users: Sequence[User]) -> None:
        """As a reload does."""
        store, known = self.store, Users(users)
        sessions = Sessions(store, known, timedelta(hours=8), lambda: self.now)
        login = Login(known, self.checker, store, sessions)
        codes = CodeIssuer(store, timedelta(minutes=1), timedelta(days=30), timedelta(minutes=10))
        issuer = f"https://{HOST}"
        pages: dict[str, Endpoint] = {
            "/authorize": AuthorizeEndpoint(issuer, self._clients, login, sessions, store, codes),
            "/account": AccountEndpoint(self._clients, login, sessions, store),
            "/logout": LogoutEndpoint(sessions),
        }
        routes = {
            path: Route(html.with_error_pages(endpoint), methods=("GET", "POST"))
            for path, endpoint in pages.items()
        }
        self._app = Boundary(
            Routes(routes), ClientAddress(()), ErrorResponses(issuer, 403), self.log
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def close(self) -> None:
        self.checker.close()
        self.loop.close()


class Visitor:
    """A browser at an address."""

    def __init__(self, inside: Inside, address: str = "203.0.113.7") -> None:
        self._inside = inside
        app: ASGIApp = inside
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=(address, 4711)), base_url=f"https://{HOST}"
        )

    def get(self, path: str, **headers: str) -> Page:
        return Page(self._inside.loop.run_until_complete(self.http.get(path, headers=headers)))

    def post(
        self, path: str, data: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return self._inside.loop.run_until_complete(
            self.http.post(path, data=dict(data), headers=headers)
        )

    def send(self, path: str, content: str, headers: Sequence[tuple[str, str]]) -> httpx.Response:
        """A body and its headers as they are."""
        return self._inside.loop.run_until_complete(
            self.http.post(path, content=content, headers=list(headers))
        )

    def submit(self, form: Form, button: str, **filled: str) -> httpx.Response:
        return self.post(form.action, {**form.fields, **filled, "action": button})

    def log_in(
        self, username: str, password: str = PASSWORD, at: str = "/account"
    ) -> httpx.Response:
        form = self.get(at).form("login")
        return self.submit(form, "login", username=username, password=password)


class CountedHashes:
    """Which parameters were computed with, instead of computing: `right` is the only password."""

    def __init__(self, right: str = PASSWORD) -> None:
        self.parameters: list[str] = []
        self._right = right.encode()

    def __call__(self, hash: bytes, secret: bytes, _: low_level.Type) -> bool:  # noqa: A002
        self.parameters.append(hash.decode().rpartition("$")[0].rpartition("$")[0])
        if secret != self._right:
            raise VerifyMismatchError
        return True
