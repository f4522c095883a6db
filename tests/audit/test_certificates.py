"""TLS: the certificate on the host, and what both ports do with it."""

from __future__ import annotations

import http.client
import ssl
from datetime import datetime, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.audit.subject import Answer, Subject, states_of
from tests.audit.tls import REFUSED, Client, newest_spoken
from tests.audit.verdict import must_equal, must_hold

_PORTS = [
    pytest.param(443, marks=pytest.mark.control("TLS-03")),
    pytest.param(8443, marks=pytest.mark.control("TLS-04")),
]

QUESTIONS = {
    "directory": states_of("/etc/oauth2", "/etc/oauth2/certs"),
    # The files themselves: the names are links to whichever pair is the present one.
    "files": "cd /etc/oauth2/certs && for name in server.pem server.key; do "
    'stat -L -c "$name|%U:%G %04a %F" "$name" || echo "$name|missing"; done',
    "certificate": "cat /etc/oauth2/certs/server.pem",
    # Of the private key only the public half is printed.
    "key": "openssl pkey -in /etc/oauth2/certs/server.key -passin pass: -pubout",
}


@pytest.fixture
def certificate(answers: dict[str, Answer]) -> x509.Certificate:
    """The leaf on the host."""
    return x509.load_pem_x509_certificates(answers["certificate"].output.encode())[0]


@pytest.mark.control("TLS-01")
def test_certificate_and_key_have_owners_and_modes(answers: dict[str, Answer]) -> None:
    """Nobody else on the host can be this server."""
    must_equal(
        "owner, group and mode must be as laid down",
        seen={**answers["directory"].states, **answers["files"].states},
        expected={
            "/etc/oauth2": "root:oauth_group 0750 directory",
            "/etc/oauth2/certs": "oauth_user:oauth_group 0750 directory",
            "server.pem": "oauth_user:oauth_group 0640 regular file",
            "server.key": "oauth_user:oauth_group 0600 regular file",
        },
    )


@pytest.mark.control("TLS-02")
def test_the_key_fits_the_certificate(
    answers: dict[str, Answer], certificate: x509.Certificate
) -> None:
    """A restart finds one pair."""
    own = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    must_equal(
        "server.key must be the key of server.pem",
        seen=answers["key"].output.strip(),
        expected=own.decode().strip(),
    )


@pytest.mark.control("TLS-02")
def test_the_certificate_is_within_its_dates(certificate: x509.Certificate) -> None:
    """By this machine's clock."""
    now = datetime.now(timezone.utc)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    must_hold(
        "the certificate must be valid now",
        begins <= now < ends,
        expected=f"a time that has {now:%Y-%m-%d %H:%M} UTC in it",
        seen=f"from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC",
    )


@pytest.mark.control("TLS-02")
@pytest.mark.parametrize("port", [443, 8443])
def test_the_port_serves_the_certificate_on_the_host(
    port: int, client: Client, certificate: x509.Certificate, subject: Subject
) -> None:
    """A client that verifies chain, name and dates connects, and meets what lies on the host."""
    try:
        response = client.request("/health/live", port)
    except (OSError, http.client.HTTPException) as error:
        pytest.fail(
            f"port {port} must be trusted as {subject.issuer_host}\n  expected: verified TLS 1.3 "
            f"and an answer\n  seen:     {error}",
            pytrace=False,
        )
    served = x509.load_der_x509_certificate(response.certificate)
    must_equal(
        f"port {port} must serve the certificate in /etc/oauth2/certs (serial number)",
        seen=f"{served.serial_number:x}",
        expected=f"{certificate.serial_number:x}",
    )


@pytest.mark.parametrize("port", _PORTS)
def test_the_port_speaks_tls_1_3_and_nothing_older(port: int, subject: Subject) -> None:
    """No client can be talked down to an older protocol."""
    seen = {
        f"offered up to {newest.name}": newest_spoken(subject.address, port, newest)
        for newest in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)
    }
    must_equal(
        f"port {port} must speak TLS 1.3 only",
        seen=seen,
        expected={"offered up to TLSv1_3": "TLSv1.3", "offered up to TLSv1_2": REFUSED},
    )
