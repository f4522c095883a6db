"""Authorization requests (RFC 6749 §4.1.1, with RFC 7636, 8707, 9207 and 9700)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import quote, unquote_to_bytes

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.models import Client, GrantType
from oauth_server.protocol import form, redirect_uri, resource, scope

MAX_QUERY = 8 * 1024

# RFC 7636 §4.2: the base64url of a SHA-256 without padding; its last digit has two spare bits.
_CODE_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


@dataclass(frozen=True)
class Answer:
    """Where the answer goes: a redirect URI that is the client's, and the request's state."""

    redirect_uri: str
    state: bytes | None
    issuer: str

    def location(self, parameters: Mapping[str, str]) -> str:
        """The redirect URI with the parameters, the state as it came, and who answers.

        The query that it was registered with stays (RFC 6749 §3.1.2), and the issuer is in each
        answer (RFC 9207 §2), errors included.
        """
        pairs = [f"{name}={quote(value, safe='')}" for name, value in parameters.items()]
        if self.state is not None:
            pairs.append(f"state={quote(self.state, safe='')}")
        pairs.append(f"iss={quote(self.issuer, safe='')}")
        separator = "&" if "?" in self.redirect_uri else "?"
        return self.redirect_uri + separator + "&".join(pairs)


class AuthorizationError(ProtocolError):
    """Goes to the client (RFC 6749 §4.1.2.1); every other ProtocolError is shown to the user."""

    def __init__(
        self, answer: Answer, code: ErrorCode, description: str, *, reason: str | None = None
    ) -> None:
        super().__init__(code, description, reason=reason)
        self.answer = answer

    @property
    def location(self) -> str:
        return self.answer.location(
            {"error": self.code.value, "error_description": self.description}
        )


@dataclass(frozen=True)
class AuthorizationRequest:
    """A valid request. `redirect_uri` is as it was sent, empty if it was not."""

    client: Client
    redirect_uri: str
    answer: Answer
    code_challenge: str
    scope: str
    audience: tuple[str, ...]


def read(query: bytes, clients: Mapping[str, Client], issuer: str) -> AuthorizationRequest:
    """What a query string asks for.

    Raises ProtocolError as long as it is not certain where an answer may go, AuthorizationError
    after that.
    """
    if len(query) > MAX_QUERY:
        _refuse(f"The request is limited to {MAX_QUERY} bytes.")
    parameters = _Parameters(query)
    # Nothing goes anywhere before these two are certain (RFC 6749 §4.1.2.1, RFC 9700 §4.11).
    client = clients.get(parameters.single("client_id") or "")
    if client is None:
        _refuse("This app is not known here.", "unknown_client")
    sent = parameters.single("redirect_uri")
    answer = Answer(_destination(sent, client), parameters.state(), issuer)
    try:
        return _read(parameters, client, sent or "", answer)
    except AuthorizationError:
        raise
    except ProtocolError as error:
        raise AuthorizationError(
            answer, error.code, error.description, reason=error.reason
        ) from None


def client_of(query: bytes, clients: Mapping[str, Client]) -> Client | None:
    """Whose request this is, if that much can be read: for the log."""
    try:
        return clients.get(_Parameters(query).single("client_id") or "")
    except ProtocolError:
        return None


def _destination(sent: str | None, client: Client) -> str:
    if sent is None:
        if len(client.redirect_uris) != 1:  # RFC 6749 §3.1.2.3
            _refuse("The app did not say where the answer should go.", "redirect_uri_missing")
        return client.redirect_uris[0]
    if not any(redirect_uri.matches(sent, registered) for registered in client.redirect_uris):
        _refuse(
            "The address to which the answer should go does not belong to this app.",
            "redirect_uri_not_registered",
        )
    return sent


def _read(
    parameters: _Parameters, client: Client, sent: str, answer: Answer
) -> AuthorizationRequest:
    parameters.check()
    response_type = parameters.single("response_type")
    if response_type is None:
        _refuse("The response_type is missing.")
    if response_type != "code":  # RFC 9700 §2.1.2: no tokens in a URL
        raise ProtocolError(ErrorCode.UNSUPPORTED_RESPONSE_TYPE, "The response_type must be code.")
    if GrantType.AUTHORIZATION_CODE not in client.grant_types:
        raise ProtocolError(
            ErrorCode.UNAUTHORIZED_CLIENT, "The client is not registered for authorization_code."
        )
    if parameters.single("response_mode") not in {None, "query"}:
        _refuse("The response_mode must be query.")
    for name in ("request", "request_uri"):  # RFC 9101: ignored, their rules would be, too
        if parameters.single(name) is not None:
            _refuse("Request objects are not supported.")
    # Without the parameter RFC 7636 §4.3 means plain, which RFC 9700 §2.1.1 does away with.
    if parameters.single("code_challenge_method") != "S256":
        _refuse("The code_challenge_method must be S256.", "pkce_method")
    code_challenge = parameters.single("code_challenge")
    if code_challenge is None or not _CODE_CHALLENGE.fullmatch(code_challenge):
        _refuse("The code_challenge must be 43 characters of base64url.", "pkce_challenge")
    return AuthorizationRequest(
        client=client,
        redirect_uri=sent,
        answer=answer,
        code_challenge=code_challenge,
        scope=scope.granted(parameters.single("scope"), client.scope),
        audience=resource.audience(parameters.resource(), client, answer.issuer),
    )


class _Parameters:
    """The query's parameters, still encoded: a fault matters when its parameter is read."""

    def __init__(self, query: bytes) -> None:
        if query.count(b"&") >= form.MAX_PARAMETERS:
            _refuse(f"The request is limited to {form.MAX_PARAMETERS} parameters.")
        self._encoded: dict[str, list[bytes]] = {}
        for pair in filter(None, query.split(b"&")):
            name, _, value = pair.partition(b"=")
            self._encoded.setdefault(form.decode(name), []).append(value)

    def single(self, name: str) -> str | None:
        """None without a value (RFC 6749 §3.1). Raises ProtocolError."""
        values = self._encoded.get(name, [])
        if len(values) > 1:  # RFC 6749 §3.1
            _refuse(f"{name} is included more than once.", "duplicate_parameter")
        return form.decode(values[0]) or None if values else None

    def state(self) -> bytes | None:
        """Whatever it is, it goes back as it came; one of several would be a guess."""
        values = self._encoded.get("state", [])
        if len(values) != 1:
            return None
        return unquote_to_bytes(values[0].replace(b"+", b" ")) or None

    def resource(self) -> str | None:
        values = self._encoded.get("resource", [])
        if len(values) > 1:  # RFC 8707 §2 would allow it
            raise ProtocolError(ErrorCode.INVALID_TARGET, "One resource a request, please.")
        return self.single("resource")

    def check(self) -> None:
        """None is there twice, known or not, and each can be decoded. The state may be anything."""
        for name, values in self._encoded.items():
            if len(values) > 1 and name != "resource":
                _refuse("A parameter is included more than once.", "duplicate_parameter")
            if name != "state":
                form.decode(values[0])


def _refuse(description: str, reason: str | None = None) -> NoReturn:
    raise ProtocolError(ErrorCode.INVALID_REQUEST, description, reason=reason)
