"""What an honest client asks for."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import urlencode


def token_request(lab_json: Path) -> bytes:
    """What fetches a token (RFC 6749 §4.4), as it is sent over TLS."""
    known = json.loads(lab_json.read_text())
    client = known["confidential_client"]
    proof = base64.b64encode(f"{client['client_id']}:{client['client_secret']}".encode()).decode()
    body = urlencode({"grant_type": "client_credentials", "scope": client["scope"]})
    head = (
        "POST /token HTTP/1.1",
        f"Host: {known['issuer'].removeprefix('https://')}",
        f"Authorization: Basic {proof}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*head, "", body]).encode()
