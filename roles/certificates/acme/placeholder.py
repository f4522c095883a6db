"""What a host shows until its first certificate by ACME is there, since it cannot start without."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pyinfra import host
from pyinfra.api import HiddenValue, StringCommand

from roles.certificates.facts import InstalledPair
from roles.certificates.operations import installed
from roles.certificates.pair import Pair, certificate_pem, key_pem
from roles.questions import operation


@operation()
def placeholder_pair() -> Generator[StringCommand, None, None]:
    """Have some pair in /etc/oauth2/certs; one that is there stays until certbot has a better one.

    It is self-signed, of no name, and valid for a day: no client takes it for the server.
    """
    found = host.get_fact(InstalledPair)
    if "the key fits" in found.layout and "server.pem -> active/server.pem" in found.layout:
        host.noop("there is a certificate")
        return
    yield from installed(_supply)


def _supply() -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "no certificate was issued yet")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate_pem(certificate), HiddenValue(key_pem(key)), ca=None)
