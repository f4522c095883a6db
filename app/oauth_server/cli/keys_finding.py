"""What `oauth-server keys verify` says of one thing that it looked at."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`sides` are fingerprints (SHA-256 of the public key) by where they were found."""

    ok: bool
    what: str
    sides: Mapping[str, str] = {}
