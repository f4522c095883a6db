"""A PKCS#11 URI (RFC 7512) names a key on a token, and holds no PIN."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

LABEL = "oauth-server"
"""CKA_LABEL of every key that is made here: for people, as the id is what finds it."""

_SCHEME = "pkcs11:"
_UNRESERVED = ":[]@!$'()*+,=&"  # RFC 7512 §2.3, beside RFC 3986's
_VALUE = re.compile(r"(?:[A-Za-z0-9._~:\[\]@!$'()*+,=&-]|%[0-9A-Fa-f]{2})*")
_MAX_ID = 64


class UriError(Exception):
    """Not such a URI; the text says why."""


class KeyUri(NamedTuple):
    """The token's label, and CKA_ID of the key."""

    token: str
    key_id: bytes

    def __str__(self) -> str:
        octets = "".join(f"%{octet:02X}" for octet in self.key_id)
        token = quote(self.token, safe=_UNRESERVED)
        return f"{_SCHEME}token={token};object={LABEL};type=private;id={octets}"


def parse(text: str) -> KeyUri:
    """Raises UriError."""
    if not text.startswith(_SCHEME):
        raise UriError("is not a PKCS#11 URI (RFC 7512)")
    if "?" in text:  # where a pin-value would be, or another module
        raise UriError("must have no query: module and PIN are in the settings")
    found: dict[str, bytes] = {}
    for attribute in text.removeprefix(_SCHEME).split(";"):
        name, equals, value = attribute.partition("=")
        if not equals or name in found or not _VALUE.fullmatch(value):
            raise UriError("is not a PKCS#11 URI (RFC 7512)")
        found[name] = unquote_to_bytes(value)
    if found.keys() != {"token", "object", "type", "id"} or found["type"] != b"private":
        raise UriError("must name a private key by token, object, type and id, and nothing else")
    if not 0 < len(found["id"]) <= _MAX_ID:
        raise UriError(f"must have an id of 1 to {_MAX_ID} bytes")
    try:
        return KeyUri(found["token"].decode("utf-8"), found["id"])
    except UnicodeDecodeError:
        raise UriError("must have a token's label in UTF-8") from None
