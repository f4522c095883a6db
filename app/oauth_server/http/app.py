"""The routes: exact paths, each with its methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from oauth_server.http import health, html
from oauth_server.http.account import PATH as ACCOUNT_PATH
from oauth_server.http.documents import DocumentEndpoint
from oauth_server.http.health import ReadyEndpoint
from oauth_server.http.logout import PATH as LOGOUT_PATH
from oauth_server.http.metrics import MetricsEndpoint
from oauth_server.http.token import TokenEndpoint
from oauth_server.protocol.metadata import (
    AUTHORIZE_PATH,
    INTROSPECT_PATH,
    JWKS_PATH,
    METADATA_PATH,
    REVOKE_PATH,
    TOKEN_PATH,
)

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    endpoint: Endpoint
    methods: tuple[str, ...] = field(default=("GET", "HEAD"))


class Routes:
    """Raises HTTPException for a path that there is not, and for a method that a path lacks.

    Starlette's router compares a path with each route in turn and wraps each endpoint three times,
    which costs more than the endpoint of a quick signature; no path here has a variable part.
    """

    def __init__(self, routes: dict[str, Route]) -> None:
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["path"])
        if route is None:
            raise HTTPException(404)
        if scope["method"] not in route.methods:
            raise HTTPException(405, headers={"Allow": ", ".join(route.methods)})
        response = await route.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def routes(
    *,
    token: TokenEndpoint,
    revoke: Endpoint,
    introspect: Endpoint,
    metadata: DocumentEndpoint,
    jwks: DocumentEndpoint,
    ready: ReadyEndpoint,
    authorize: Endpoint,
    account: Endpoint,
    logout: Endpoint,
) -> ASGIApp:
    pages = {AUTHORIZE_PATH: authorize, ACCOUNT_PATH: account, LOGOUT_PATH: logout}
    return Routes(
        {
            **{
                path: Route(html.with_error_pages(endpoint), methods=("GET", "POST"))
                for path, endpoint in pages.items()
            },
            TOKEN_PATH: Route(token, methods=("POST",)),
            REVOKE_PATH: Route(revoke, methods=("POST",)),
            INTROSPECT_PATH: Route(introspect, methods=("POST",)),
            METADATA_PATH: Route(metadata),
            JWKS_PATH: Route(jwks),
            "/health/live": Route(health.live),
            "/health/ready": Route(ready),
        }
    )


def monitoring(*, metrics: MetricsEndpoint, ready: ReadyEndpoint) -> ASGIApp:
    """What the socket for monitoring serves, and nothing else."""
    return Routes(
        {
            "/metrics": Route(metrics),
            "/health/live": Route(health.live),
            "/health/ready": Route(ready),
        }
    )
