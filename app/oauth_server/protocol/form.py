"""Form bodies of requests: application/x-www-form-urlencoded with hard limits (RFC 6749 §3.2)."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from oauth_server.errors import ErrorCode, ProtocolError

MAX_BODY = 32 * 1024
MAX_PARAMETERS = 32

_CONTENT_TYPE = "application/x-www-form-urlencoded"
_CONTENT_TYPES = re.compile(
    rf'{_CONTENT_TYPE}(?:[ \t]*;[ \t]*charset="?utf-8"?)?[ \t]*', re.IGNORECASE
)
# RFC 3986 §2.3: stands for itself.
_UNRESERVED = (string.ascii_letters + string.digits + "-._~").encode()
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def parse(content_type: str | None, body: bytes) -> Mapping[str, str]:
    """The parameters, each at most once; one without a value counts as omitted (RFC 6749 §3.1).

    Raises ProtocolError.
    """
    if content_type != _CONTENT_TYPE and not _CONTENT_TYPES.fullmatch(content_type or ""):
        raise _refused(f"The body must be {_CONTENT_TYPE} in UTF-8.")
    if len(body) > MAX_BODY:
        raise ProtocolError(
            ErrorCode.CONTENT_TOO_LARGE, f"The body is limited to {MAX_BODY} bytes."
        )
    # Counted before anything is split: a body of separators must cost nothing.
    if body.count(b"&") >= MAX_PARAMETERS:
        raise _refused(f"The body is limited to {MAX_PARAMETERS} parameters.")
    parameters: dict[str, str] = {}
    for pair in filter(None, body.split(b"&")):
        name, _, value = pair.partition(b"=")
        decoded = decode(name)
        if decoded in parameters:  # RFC 6749 §3.1: not more than once
            raise _refused("A parameter is included more than once.")
        parameters[decoded] = decode(value)
    return {name: value for name, value in parameters.items() if value}


def decode(encoded: bytes) -> str:
    """One name or value, decoded (RFC 6749 appendix B): UTF-8 without control characters."""
    if not encoded.strip(_UNRESERVED):
        return encoded.decode("ascii")
    if _BROKEN_ESCAPE.search(encoded):
        raise _refused("A parameter has a broken percent-escape.")
    try:
        text = unquote_to_bytes(encoded.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        # `from None`: the original carries the value, which may be a secret.
        raise _refused("A parameter is not UTF-8.") from None
    if _CONTROL.search(text):
        raise _refused("A parameter has a control character.")
    return text


def _refused(description: str) -> ProtocolError:
    return ProtocolError(ErrorCode.INVALID_REQUEST, description)
