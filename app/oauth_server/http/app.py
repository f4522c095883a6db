"""The routes."""

from __future__ import annotations

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from oauth_server.http import health
from oauth_server.http.documents import DocumentEndpoint
from oauth_server.http.health import ReadyEndpoint
from oauth_server.http.token import TokenEndpoint
from oauth_server.protocol.metadata import JWKS_PATH, METADATA_PATH, TOKEN_PATH


def routes(
    *,
    token: TokenEndpoint,
    metadata: DocumentEndpoint,
    jwks: DocumentEndpoint,
    ready: ReadyEndpoint,
) -> ASGIApp:
    return Router(
        [
            Route(TOKEN_PATH, token.__call__, methods=["POST"]),
            Route(METADATA_PATH, metadata.__call__),
            Route(JWKS_PATH, jwks.__call__),
            Route("/health/live", health.live),
            Route("/health/ready", ready.__call__),
        ],
        redirect_slashes=False,
    )
