"""The certificate that TLS is spoken with, and its key."""

from __future__ import annotations

import ssl
from pathlib import Path

from oauth_server import files
from oauth_server.errors import OperatorError
from oauth_server.settings import Settings


def load(settings: Settings) -> ssl.SSLContext:
    """For TLS 1.3 and nothing older (RFC 9325 §3.1.1 lets us). Raises OperatorError."""
    certificate, key = settings.certificate, settings.certificate_key
    for path in (certificate, key):
        files.read(Path(path))  # OpenSSL would wait at a FIFO
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password OpenSSL would ask for one on a terminal.
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        # OSError includes OpenSSL's, which names its reason.
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise OperatorError(f"{certificate} with {key}: cannot be used for TLS: {why}") from None
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted")
