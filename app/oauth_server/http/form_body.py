"""Reads the form that one of our pages sends."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.http import body
from oauth_server.protocol import form

_MAX_BODY = 8 * 1024


async def read(request: Request) -> Mapping[str, str]:
    """Raises ProtocolError."""
    content_types = request.headers.getlist("content-type")
    if len(content_types) != 1:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, "The form has no clear content type.")
    return form.parse(content_types[0], await body.read(request, _MAX_BODY))
