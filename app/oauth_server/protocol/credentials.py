"""How a client says who it is (RFC 6749 §2.3.1, RFC 7521 §4.2)."""

from __future__ import annotations

import binascii
from collections.abc import Mapping

import msgspec

from oauth_server.errors import ErrorCode, ProtocolError
from oauth_server.models import AuthMethod
from oauth_server.protocol import assertion, form, jws
from oauth_server.protocol.claims import ClaimsError
from oauth_server.protocol.jws import Jws, JwsError


class Credentials(msgspec.Struct, frozen=True):
    """What the client claims, still unproved; `assertion` is there for `private_key_jwt` alone."""

    method: AuthMethod
    client_id: str
    client_secret: str = ""
    assertion: Jws | None = None

    def __repr__(self) -> str:
        """Without what proves the claim."""
        return f"Credentials({self.method!r}, {self.client_id!r})"


def read(authorization: str | None, parameters: Mapping[str, str]) -> Credentials:
    """The credentials of a request, given in exactly one way.

    `authorization` is the header's value. Raises ProtocolError: `invalid_request` when there are
    two ways at once (RFC 6749 §5.2), `invalid_client` when there is none or it is malformed.
    """
    client_id = parameters.get("client_id")
    client_secret = parameters.get("client_secret")
    asserts = "client_assertion" in parameters or "client_assertion_type" in parameters
    # RFC 6749 §2.3: not more than one method.
    if [authorization is not None, client_secret is not None, asserts].count(True) > 1:
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST, "The client authenticates in more than one way."
        )
    if authorization is not None:
        credentials = basic(authorization)
        if client_id is not None and client_id != credentials.client_id:
            raise ProtocolError(
                ErrorCode.INVALID_REQUEST, "The header and the body name different clients."
            )
        return credentials
    if asserts:
        return _by_assertion(parameters)
    if client_id is None:
        raise _invalid_client("no_credentials")
    if client_secret is not None:
        return Credentials(AuthMethod.CLIENT_SECRET_POST, client_id, client_secret)
    return Credentials(AuthMethod.NONE, client_id)


def basic(authorization: str) -> Credentials:
    """Credentials by HTTP Basic (RFC 7617), each part form-urlencoded (RFC 6749 §2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise _invalid_client("unsupported_scheme")
    try:
        decoded = binascii.a2b_base64(encoded)
    except ValueError:
        raise _invalid_client("malformed_basic") from None
    # The decoder passes over other characters and spare bits: one secret would have many spellings.
    if binascii.b2a_base64(decoded, newline=False).decode("ascii") != encoded:
        raise _invalid_client("malformed_basic")
    name, colon, password = decoded.partition(b":")
    try:
        client_id, client_secret = form.decode(name), form.decode(password)
    except ProtocolError:
        raise _invalid_client("malformed_basic") from None
    if not colon or not client_id or not client_secret:
        raise _invalid_client("malformed_basic")
    return Credentials(AuthMethod.CLIENT_SECRET_BASIC, client_id, client_secret)


def _by_assertion(parameters: Mapping[str, str]) -> Credentials:
    """RFC 7523 §2.2."""
    text, kind = parameters.get("client_assertion"), parameters.get("client_assertion_type")
    if text is None or kind is None:
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST,
            "client_assertion and client_assertion_type belong together.",
        )
    if kind != assertion.TYPE:
        raise _invalid_client("assertion_type")
    try:
        sent = jws.parse(text)
        client_id = assertion.claimed_client_id(sent)
    except (JwsError, ClaimsError):
        raise _invalid_client("assertion_malformed") from None
    if parameters.get("client_id", client_id) != client_id:  # RFC 7521 §4.2
        raise _invalid_client("assertion_subject")
    return Credentials(AuthMethod.PRIVATE_KEY_JWT, client_id, assertion=sent)


def _invalid_client(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.INVALID_CLIENT, "Client authentication failed.", reason=reason)
