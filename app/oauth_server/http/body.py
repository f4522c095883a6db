"""Reads a request's body up to a limit."""

from __future__ import annotations

from starlette.requests import Request

from oauth_server.errors import ErrorCode, ProtocolError


async def read(request: Request, limit: int) -> bytes:
    """Raises ProtocolError past the limit, of which nothing more is kept."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise ProtocolError(
                ErrorCode.CONTENT_TOO_LARGE, f"The body is limited to {limit} bytes."
            )
    return bytes(body)
