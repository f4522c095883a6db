"""base64url without padding (RFC 7515 §2), in the one spelling that encoding gives."""

from __future__ import annotations

import base64
import binascii


def encode(content: bytes) -> str:
    return encode_bytes(content).decode("ascii")


def encode_bytes(content: bytes) -> bytes:
    """As ASCII."""
    # Half as long as a table for each byte takes.
    standard = binascii.b2a_base64(content, newline=False).rstrip(b"=")
    return standard.replace(b"+", b"-").replace(b"/", b"_")


def decode(text: str) -> bytes:
    """Raises ValueError for padding, other alphabets and spare bits that are not zero.

    A decoder that forgives has several spellings of one token: a denylist or a cache that compares
    texts then misses all but one.
    """
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("is not base64url") from None
    if encode(content) != text:
        raise ValueError("is not canonical base64url")
    return content
