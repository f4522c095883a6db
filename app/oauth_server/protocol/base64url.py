"""base64url without padding (RFC 7515 §2), in the one spelling that encoding gives."""

from __future__ import annotations

import base64
import binascii


def encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


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
