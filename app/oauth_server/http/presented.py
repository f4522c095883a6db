"""What /revoke and /introspect have in common: a client shows a token."""

from __future__ import annotations

from starlette.requests import Request

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.grants.presentation import Finding
from oauth_server.http import exchange
from oauth_server.http.client_authentication import AuthenticatedForm
from oauth_server.models import Client


async def read(request: Request, event: str, form: AuthenticatedForm) -> tuple[Client, str]:
    """The client and the token. A hint at its type is not needed (RFC 7009 §2.1, RFC 7662 §2.1).

    Raises ProtocolError.
    """
    record = exchange.of(request)
    record.event, record.always = event, True
    client, parameters = await form.read(request)
    token = parameters.get("token")
    if token is None:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, "The token is missing.")
    return client, token


def note(request: Request, finding: Finding) -> None:
    """For the log: what was found, and by which names it can be revoked. For metrics: what was."""
    record = exchange.of(request)
    record.error = finding.error
    if finding.revoked is not None:
        record.revoked = finding.revoked.value
    for name, value in (("jti", finding.jti), ("family", finding.family)):
        if value is not None:
            record.fields[name] = value
