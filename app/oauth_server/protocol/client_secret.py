"""Client secrets: 256 random bits, of which the server keeps the SHA-256.

A secret that a machine made has nothing to guess, so a slow hash would only slow the server.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

_HASH = re.compile(r"sha256:[0-9a-f]{64}")
# Compared with when there is nothing else: the digest of nothing that can be sent.
_NO_SECRET = "sha256:" + "0" * 64


def generate() -> str:
    return secrets.token_urlsafe(32)


def digest(client_secret: str) -> str:
    """`sha256:` and the hex digest of the secret's UTF-8."""
    return "sha256:" + hashlib.sha256(client_secret.encode()).hexdigest()


def is_hash(text: str) -> bool:
    return _HASH.fullmatch(text) is not None


def verifies(client_secret: str, client_secret_hash: str | None) -> bool:
    """Whether the secret has this hash; without a hash the same work ends in False."""
    matches = hmac.compare_digest(digest(client_secret), client_secret_hash or _NO_SECRET)
    return matches and client_secret_hash is not None
