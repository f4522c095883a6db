"""Pages for people: rendered from pages/, with headers that allow nothing but what they need."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.http import exchange
from oauth_server.protocol import redirect_uri

if TYPE_CHECKING:
    from jinja2 import Environment

_DIRECTORY = Path(__file__).resolve().parents[1] / "pages"
_STYLE = (_DIRECTORY / "style.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_RETRY_AFTER = "1"

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer, a form's Origin would be null, and could not be told from another site's.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), display-capture=(), fullscreen=(), geolocation=(), microphone=(), payment=(), "
        "publickey-credentials-get=(), usb=()"
    ),
}

_TITLES = {
    ErrorCode.NOT_FOUND: "There is nothing here",
    ErrorCode.METHOD_NOT_ALLOWED: "This cannot be done here",
    ErrorCode.TEMPORARILY_UNAVAILABLE: "Just a moment",
}


@functools.cache
def _environment() -> Environment:
    # Here and not above: a server for machines alone shows no page, and starts without this.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_DIRECTORY),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals["style"] = _STYLE
    return environment


def prepare() -> None:
    """Load and compile what a page needs, before somebody waits for it."""
    for name in ("login", "consent", "account", "logout", "error"):
        _environment().get_template(f"{name}.html")


def page(
    name: str,
    request: Request,
    context: Mapping[str, object],
    *,
    status: int = 200,
    leads_to: str | None = None,
) -> Response:
    """`leads_to` is the redirect URI to which a form of this page may lead."""
    text = (
        _environment()
        .get_template(f"{name}.html")
        .render(context, host=request.headers.get("host", ""))
    )
    headers = {**_HEADERS, "Content-Security-Policy": _policy(leads_to)}
    return Response(text, status, headers=headers, media_type="text/html")


def see_other(location: str) -> Response:
    """303: a browser that posted a password does not post it to the next one (RFC 9700 §4.12)."""
    return Response(status_code=303, headers={**_HEADERS, "Location": location})


def _policy(leads_to: str | None) -> str:
    # Chromium applies form-action to where the answer to a form redirects, too.
    targets = "'self'" if leads_to is None else f"'self' {_source(leads_to)}"
    return (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {targets}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def _source(uri: str) -> str:
    origin = redirect_uri.origin(uri)
    # There is no way to write an IPv6 address in a policy (CSP 3 §2.3.1).
    return origin.partition("//")[0] if "[" in origin else origin


def error_page(request: Request, error: ProtocolError) -> Response:
    """What the user sees of an error that no client is told of."""
    record = exchange.of(request)
    record.error = error.code.value
    if error.reason is not None:
        record.fields["reason"] = error.reason
    return _error_page(request, error.code, error.description)


def _error_page(request: Request, code: ErrorCode, description: str) -> Response:
    context = {
        "title": _TITLES.get(code, "This did not work"),
        "description": description,
        "request_id": exchange.of(request).request_id,
    }
    response = page("error", request, context, status=code.status)
    if code.status == 503:
        response.headers["Retry-After"] = _RETRY_AFTER
    return response


Endpoint = Callable[[Request], Awaitable[Response]]


def with_error_pages(endpoint: Endpoint) -> Endpoint:
    """An endpoint for people, whose errors are pages."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ProtocolError as error:
            return error_page(request, error)

    return answer


class NothingHere:
    """404 as a page for browsers, which say that they want one; JSON for all others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except HTTPException as error:
            request = Request(scope)
            if error.status_code != 404 or "text/html" not in request.headers.get("accept", ""):
                raise
            exchange.of(request).error = ErrorCode.NOT_FOUND.value
            description = "The address may be mistyped, or the page has moved."
            await _error_page(request, ErrorCode.NOT_FOUND, description)(scope, receive, send)
