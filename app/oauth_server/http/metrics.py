"""What a monitoring system reads, on a socket of its own that nobody else can reach."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from oauth_server.http import exchange
from oauth_server.metrics import CONTENT_TYPE, Metrics


class MetricsEndpoint:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, request: Request) -> Response:
        exchange.of(request).event = "metrics"
        headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
        return Response(self._metrics.exposition(), headers=headers)
