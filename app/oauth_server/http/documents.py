"""Documents that are the same for everybody: metadata (RFC 8414), keys (RFC 7517 §5)."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from oauth_server.http import exchange, responses


class DocumentEndpoint:
    """`event` is what the log calls it when it goes wrong; no cache keeps it longer than `kept`."""

    def __init__(
        self, event: str, document: object, kept: timedelta = timedelta(minutes=5)
    ) -> None:
        self._event = event
        self._kept = min(kept, timedelta(minutes=5))
        self._encoded = msgspec.json.encode(document)

    async def __call__(self, request: Request) -> Response:
        exchange.of(request).event = self._event
        return responses.public(self._encoded, self._kept)
