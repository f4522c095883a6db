"""What can go wrong: one row for each protocol error, and the faults an operator can repair."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum


class ErrorCode(str, Enum):
    """A value of `error` and the status it travels with (RFC 6749 §5.2, RFC 9110 §15)."""

    status: int

    def __new__(cls, value: str, status: int) -> ErrorCode:
        member = str.__new__(cls, value)
        member._value_, member.status = value, status
        return member

    INVALID_REQUEST = "invalid_request", 400
    INVALID_CLIENT = "invalid_client", 401
    INVALID_GRANT = "invalid_grant", 400
    UNAUTHORIZED_CLIENT = "unauthorized_client", 400
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type", 400
    INVALID_SCOPE = "invalid_scope", 400
    INVALID_TARGET = "invalid_target", 400
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type", 400
    ACCESS_DENIED = "access_denied", 403
    LOGIN_FAILED = "login_failed", 401
    NOT_FOUND = "not_found", 404
    METHOD_NOT_ALLOWED = "method_not_allowed", 405
    CONTENT_TOO_LARGE = "content_too_large", 413
    TOO_MANY_REQUESTS = "too_many_requests", 429
    SERVER_ERROR = "server_error", 500
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable", 503


class ProtocolError(Exception):
    """A request is refused.

    `description` goes to the client; `reason` is a word for the log alone, where it may say what
    the client must not learn, such as whether a client_id exists.
    """

    def __init__(self, code: ErrorCode, description: str, *, reason: str | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.reason = reason


class ScopeNotRegisteredError(ProtocolError):
    """A client asked for a scope it is not registered for: 403, or 400 by `scope_error_status`."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.INVALID_SCOPE,
            "The client is not registered for a requested scope.",
            reason="scope_not_registered",
        )


class ReplayError(ProtocolError):
    """A code or a refresh token was used again, and its family is revoked (RFC 9700 §4.14.2)."""

    def __init__(self, reason: str, family: str) -> None:
        super().__init__(ErrorCode.INVALID_GRANT, "The grant is not valid.", reason=reason)
        self.family = family


class UnavailableError(ProtocolError):
    """The server cannot do this now, and a later attempt may succeed."""

    def __init__(self, description: str, *, reason: str) -> None:
        super().__init__(ErrorCode.TEMPORARILY_UNAVAILABLE, description, reason=reason)


class OperatorError(Exception):
    """Something on this host must be put right: each problem is one line that names it."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: Sequence[str] = problems
