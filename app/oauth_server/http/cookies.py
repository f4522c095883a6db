"""The three cookies: opaque values of 256 bits, of which the store sees digests.

The prefix __Host- (RFC 6265bis §4.1.3) keeps other hosts of the domain from setting them.
"""

from __future__ import annotations

import re
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

SESSION = "__Host-session"
LOGIN = "__Host-login"
DEVICE = "__Host-device"

_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")
_ATTRIBUTES = "; Path=/; Secure; HttpOnly; SameSite=Lax"


def read(request: Request, name: str) -> str | None:
    """A value that we could have set; None when there are two, as somebody else set one."""
    values = [
        value
        for header in request.headers.getlist("cookie")
        for pair in header.split(";")
        for key, _, value in [pair.strip(" \t").partition("=")]
        if key == name
    ]
    return values[0] if len(values) == 1 and _VALUE.fullmatch(values[0]) else None


def put(response: Response, name: str, value: str, *, lifetime: timedelta | None = None) -> None:
    """Until the browser ends, if there is no lifetime."""
    ends = f"; Max-Age={int(lifetime.total_seconds())}" if lifetime is not None else ""
    response.headers.append("set-cookie", f"{name}={value}{ends}{_ATTRIBUTES}")


def remove(response: Response, name: str) -> None:
    response.headers.append("set-cookie", f"{name}=; Max-Age=0{_ATTRIBUTES}")
