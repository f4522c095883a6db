"""Proof Key for Code Exchange (RFC 7636): S256, and no other method."""

from __future__ import annotations

import re

from oauth_server.protocol import opaque

_CODE_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def challenge(code_verifier: str) -> str | None:
    """The challenge of a verifier (RFC 7636 §4.2), or None if it is none (§4.1)."""
    # fullmatch: `$` would let a trailing newline through.
    return opaque.digest(code_verifier) if _CODE_VERIFIER.fullmatch(code_verifier) else None
