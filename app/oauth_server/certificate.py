"""The certificate that TLS is spoken with, and its key."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from oauth_server import files
from oauth_server.errors import OperatorError
from oauth_server.settings import Settings


@dataclass(frozen=True)
class ServerCertificate:
    """What is served: the chain, leaf first, with its key in the context."""

    path: str
    context: ssl.SSLContext
    chain: tuple[x509.Certificate, ...]

    @property
    def expires(self) -> datetime:
        """When the first of the chain does."""
        return min(each.not_valid_after_utc for each in self.chain)

    def faults(self, issuer: str, now: datetime) -> Iterator[str]:
        """Why clients would refuse it. It can be served all the same, so the server starts."""
        name = issuer.removeprefix("https://")
        if not _covers(self.chain[0], name):
            yield f"{self.path}: is not a certificate of {name}, the issuer's host (RFC 9525 §6)"
        for each in self.chain:
            begins, ends = each.not_valid_before_utc, each.not_valid_after_utc
            if now >= ends:
                yield f"{self.path}: expired on {ends:%Y-%m-%d %H:%M} UTC"
            if now < begins:
                yield f"{self.path}: is not valid before {begins:%Y-%m-%d %H:%M} UTC"
        for each, after in pairwise(self.chain):
            try:
                each.verify_directly_issued_by(after)
            except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
                yield (
                    f"{self.path}: a certificate is not followed by the one of its CA "
                    "(RFC 8446 §4.4.2)"
                )


def load(settings: Settings) -> ServerCertificate:
    """For TLS 1.3 and nothing older (RFC 9325 §3.1.1 lets us). Raises OperatorError."""
    certificate, key = settings.certificate, settings.certificate_key
    pem, _ = files.read(Path(certificate))  # OpenSSL would wait at a FIFO
    files.read(Path(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # A ticket is as secret as the key that it is sealed with, which OpenSSL keeps for as long as
    # the process lives (RFC 8446 appendix C.4, RFC 9325 §4.4): there are none.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password OpenSSL would ask for one on a terminal.
        context.load_cert_chain(certificate, key, password=_no_password)
        chain = tuple(x509.load_pem_x509_certificates(pem))
    except (OSError, ValueError, x509.InvalidVersion) as error:
        # OSError includes OpenSSL's, which names its reason.
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise OperatorError(f"{certificate} with {key}: cannot be used for TLS: {why}") from None
    return ServerCertificate(certificate, context, chain)


def check_no_worse(old: ServerCertificate, new: ServerCertificate, issuer: str) -> None:
    """Raises OperatorError if clients that took the old certificate would refuse the new one.

    One that stays has no say: who may log in must be changed also after it expired.
    """
    now = datetime.now(timezone.utc)
    if new.chain != old.chain and not any(old.faults(issuer, now)):
        faults = tuple(new.faults(issuer, now))
        if faults:
            raise OperatorError(*faults)


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _covers(leaf: x509.Certificate, name: str) -> bool:
    """By its subject alternative names; a wildcard stands for one label (RFC 9525 §6.3)."""
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    try:
        return ip_address(name) in found.get_values_for_type(x509.IPAddress)
    except ValueError:
        pass
    wildcard = f"*.{name.partition('.')[2]}"
    names = [each.lower() for each in found.get_values_for_type(x509.DNSName)]
    return name in names or ("." in name and wildcard in names)
