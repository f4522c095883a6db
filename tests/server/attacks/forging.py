"""Tokens as attackers make them: any header, any payload, any signature."""

from __future__ import annotations

import base64
import json

from oauth_server.keys.jose import PrivateKey


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def content(part: object) -> bytes:
    """Bytes as they are, everything else as JSON."""
    return part if isinstance(part, bytes) else json.dumps(part).encode()


def signed(key: PrivateKey, header: object, claims: object) -> str:
    """With a signature that is right, whatever it signs."""
    start = f"{encoded(content(header))}.{encoded(content(claims))}"
    return f"{start}.{encoded(key.signature(start.encode()))}"
