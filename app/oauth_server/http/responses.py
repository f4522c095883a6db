"""Responses; the only place where an error becomes HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response

from oauth_server.errors import ErrorCode, ProtocolError, ReplayError, ScopeNotRegisteredError
from oauth_server.http.exchange import Exchange

_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_JSON_HEADERS = Headers({**_NO_STORE, "Content-Type": "application/json"}).raw
_RETRY_AFTER = "1"
_FRAMEWORK_ERRORS = {
    404: (ErrorCode.NOT_FOUND, "There is nothing here."),
    405: (ErrorCode.METHOD_NOT_ALLOWED, "This method is not allowed here."),
}


class _Json(Response):
    """With headers that are encoded once, not for each answer."""

    def init_headers(self, _headers: Mapping[str, str] | None = None) -> None:
        self.raw_headers = [*_JSON_HEADERS, (b"content-length", b"%d" % len(self.body))]


def json(content: object, *, status: int = 200) -> Response:
    return _Json(msgspec.json.encode(content), status)


def empty() -> Response:
    """Everything is in the status (RFC 7009 §2.2)."""
    return Response(status_code=200, headers=_NO_STORE)


def public(document: bytes, kept: timedelta) -> Response:
    """A JSON document that anyone may keep for a while: keys are published long before use."""
    headers = {
        "Cache-Control": f"public, max-age={kept.total_seconds():.0f}",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(document, headers=headers, media_type="application/json")


class ErrorResponses:
    """RFC 6749 §5.2 for every error."""

    def __init__(self, issuer: str, scope_error_status: int) -> None:
        self._challenge = f'Basic realm="{issuer}", charset="UTF-8"'
        self._scope_error_status = scope_error_status

    def protocol_error(self, error: ProtocolError, exchange: Exchange) -> Response:
        if error.reason is not None:
            exchange.fields["reason"] = error.reason
        if isinstance(error, ReplayError):
            exchange.fields["family"] = error.family
            exchange.revoked = "family"
        if isinstance(error, ScopeNotRegisteredError):
            return self._respond(error.code, error.description, exchange, self._scope_error_status)
        return self._respond(error.code, error.description, exchange, error.code.status)

    def framework_error(self, error: HTTPException, exchange: Exchange) -> Response:
        """A path or a method that no route has."""
        code, description = _FRAMEWORK_ERRORS[error.status_code]
        response = self._respond(code, description, exchange, code.status)
        response.headers.update(error.headers or {})
        return response

    def internal_error(self, exchange: Exchange) -> Response:
        """What happened is in the journal, under the request_id."""
        code = ErrorCode.SERVER_ERROR
        exchange.error = code.value
        content = {
            "error": code.value,
            "error_description": "The server met an unexpected condition.",
            "request_id": exchange.request_id,
        }
        return json(content, status=code.status)

    def _respond(
        self, code: ErrorCode, description: str, exchange: Exchange, status: int
    ) -> Response:
        exchange.error = code.value
        response = json({"error": code.value, "error_description": description}, status=status)
        if status == 401:  # RFC 9110 §15.5.2; RFC 6749 §5.2
            response.headers["WWW-Authenticate"] = self._challenge
        if status == 503:
            response.headers["Retry-After"] = _RETRY_AFTER
        return response
