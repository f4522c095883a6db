"""Around every request: its id, its line in the log, and an answer whatever happens."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oauth_server import log
from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.http import exchange as exchanges
from oauth_server.http.client_address import ClientAddress
from oauth_server.http.exchange import Exchange
from oauth_server.http.responses import ErrorResponses
from oauth_server.metrics import Metrics

_journal = logging.getLogger("oauth_server")
# For a gateway's log, by which its host bans. Others stay in our own: why a token is not active,
# say, is for no client to know (RFC 7662 §2.2).
_GUESSES = frozenset({ErrorCode.INVALID_CLIENT, ErrorCode.INVALID_GRANT, ErrorCode.LOGIN_FAILED})
# No response was sent: nginx's status for a client that went away.
_CLIENT_CLOSED_REQUEST = 499


class Boundary:
    def __init__(
        self,
        app: ASGIApp,
        addresses: ClientAddress,
        errors: ErrorResponses,
        sink: log.Sink,
        metrics: Metrics | None = None,
    ) -> None:
        self._app = app
        self._addresses = addresses
        self._errors = errors
        self._sink = sink
        self._metrics = metrics or Metrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(self._addresses.of(scope))
        exchanges.attach(scope, exchange)
        began = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                # First the line, then the answer: no token leaves without a trace.
                self._record(exchange, message["status"], began)
                message["headers"].append((b"x-request-id", exchange.request_id.encode()))
                if exchange.error in _GUESSES:
                    message["headers"].append((b"x-oauth-error", exchange.error.encode()))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            exchange.error = "client_closed_request"
            self._record(exchange, _CLIENT_CLOSED_REQUEST, began)
        except Exception as error:  # noqa: BLE001 - nothing of it may reach the client
            await self._response(error, exchange)(scope, receive, send_with_id)

    def _response(self, error: Exception, exchange: Exchange) -> Response:
        if isinstance(error, ProtocolError):
            return self._errors.protocol_error(error, exchange)
        if isinstance(error, HTTPException):
            return self._errors.framework_error(error, exchange)
        _journal.error("request_id=%s", exchange.request_id, exc_info=error)
        return self._errors.internal_error(exchange)

    def _record(self, exchange: Exchange, status: int, began: float) -> None:
        self._metrics.request(exchange.event, status, exchange.error, time.perf_counter() - began)
        if exchange.revoked:
            self._metrics.revocation(exchange.revoked)
        if status < 400 and not exchange.always:
            return
        fields = {**exchange.fields, "request_id": exchange.request_id}
        now = datetime.now(timezone.utc)
        self._sink.write(
            log.line(now, exchange.address, status, exchange.error, exchange.event, fields)
        )
