"""Reads a request's body up to a limit."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from oauth_server.errors import ErrorCode, ProtocolError


async def read(request: Request, limit: int) -> bytes:
    """Raises ProtocolError past the limit, of which nothing more is kept."""
    body, more = b"", True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message["body"]
        more = message["more_body"]
        if len(body) > limit:
            raise ProtocolError(
                ErrorCode.CONTENT_TOO_LARGE, f"The body is limited to {limit} bytes."
            )
    return body
