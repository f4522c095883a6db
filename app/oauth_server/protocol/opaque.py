"""Opaque values: random, known to their holder alone, and stored as a digest."""

from __future__ import annotations

import base64
import hashlib
import secrets


def make() -> str:
    """256 random bits, 43 characters of base64url."""
    return secrets.token_urlsafe(32)


def digest(value: str) -> str:
    """The SHA-256 of the value, base64url without padding."""
    hashed = hashlib.sha256(value.encode()).digest()
    return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
