"""Forms come from our own pages, or are refused (RFC 6749 §10.12, RFC 9700 §4.7)."""

from __future__ import annotations

import base64
import hashlib
import hmac

from starlette.requests import Request

from oauth_server.errors import ErrorCode, ProtocolError


def token(secret: str, purpose: str) -> str:
    """For one browser and one form: `secret` is a cookie's value, which nobody else knows."""
    mac = hmac.digest(secret.encode(), purpose.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def check(request: Request, given: str | None, secret: str | None, purpose: str) -> None:
    """Raises ProtocolError unless the form is of this browser, this purpose and this site."""
    if not _is_same_origin(request):
        raise _refused("csrf_origin")
    if secret is None:
        raise _refused("csrf_no_cookie")
    if not hmac.compare_digest((given or "").encode(), token(secret, purpose).encode()):
        raise _refused("csrf_token")


def _is_same_origin(request: Request) -> bool:
    """By what a browser says of itself; a program that says nothing still needs the token."""
    site = request.headers.getlist("sec-fetch-site")
    if site:
        return site == ["same-origin"]
    origin = request.headers.getlist("origin")
    # The host as the browser sees it: behind a gateway and on a port of our own it differs.
    return not origin or [value.partition("://")[2] for value in origin] == (
        request.headers.getlist("host")
    )


def _refused(reason: str) -> ProtocolError:
    return ProtocolError(
        ErrorCode.INVALID_REQUEST,
        "This form is no longer valid, or your browser keeps no cookies for this site. "
        "Go back, load the page again and try once more.",
        reason=reason,
    )
