"""Documents that are the same for everybody: metadata (RFC 8414), keys (RFC 7517 §5)."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from oauth_server.http import exchange, responses


class DocumentEndpoint:
    """`event` is what the log calls it when it goes wrong."""

    def __init__(self, event: str, document: object) -> None:
        self._event = event
        self._encoded = msgspec.json.encode(document)

    async def __call__(self, request: Request) -> Response:
        exchange.of(request).event = self._event
        return responses.public(self._encoded)
