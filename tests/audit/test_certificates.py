"""TLS: the certificate on the host, and what both ports do with it."""

from __future__ import annotations

import http.client
import ssl
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.audit.plain import CLOSED, HUNG_UP, PlainPort
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
    # What certbot keeps, where it gets the certificate.
    "certbot": "test -e /etc/letsencrypt/renewal/portcullis.conf || exit 0; cd /etc/letsencrypt; "
    'for name in live archive live/portcullis/privkey.pem; do stat -L -c "$name|%U:%G %04a %F" '
    '"$name" || echo "$name|missing"; done',
    # Which files hold private keys, beside the signing keys, and which of them nginx reads.
    "private": "find /etc/oauth2 -path /etc/oauth2/keys -prune -o -type f "
    "-exec grep -l 'PRIVATE KEY[-]----' {} +",
    "own": "readlink -e /etc/oauth2/certs/server.key",
    # Of the private key only the public half is printed.
    "key": "openssl pkey -in /etc/oauth2/certs/server.key -passin pass: -pubout",
}


_THREE_WEEKS = timedelta(days=21)
_FORGEABLE = ("md5", "sha1")


@pytest.fixture
def chain(answers: dict[str, Answer]) -> list[x509.Certificate]:
    """What the host serves, leaf first."""
    return x509.load_pem_x509_certificates(answers["certificate"].output.encode())


@pytest.fixture
def certificate(chain: list[x509.Certificate]) -> x509.Certificate:
    """The leaf on the host."""
    return chain[0]


@pytest.fixture(scope="module")
def port_80(subject: Subject) -> PlainPort:
    return PlainPort(subject.address, subject.issuer_host)


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


@pytest.mark.control("TLS-01")
def test_what_certbot_keeps_is_roots_alone(answers: dict[str, Answer]) -> None:
    """The same key lies there; where the certificate comes from elsewhere there is none."""
    seen = answers["certbot"].states
    must_equal(
        "below /etc/letsencrypt, owner, group and mode must be",
        seen=seen,
        expected={
            "live": "root:root 0700 directory",
            "archive": "root:root 0700 directory",
            "live/portcullis/privkey.pem": "root:root 0600 regular file",
        }
        if seen
        else {},
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


@pytest.mark.control("TLS-05")
def test_the_certificate_is_valid_for_three_more_weeks(chain: list[x509.Certificate]) -> None:
    """Whatever should have renewed it is given the time to be mended."""
    now = datetime.now(timezone.utc)
    ends = min(each.not_valid_after_utc for each in chain)
    must_hold(
        "no certificate of the chain may expire within 21 days",
        ends - now > _THREE_WEEKS,
        expected=f"a time after {now + _THREE_WEEKS:%Y-%m-%d %H:%M} UTC",
        seen=f"{ends:%Y-%m-%d %H:%M} UTC, in {(ends - now).days} days",
    )


@pytest.mark.control("TLS-06")
def test_each_certificate_is_followed_by_its_cas(chain: list[x509.Certificate]) -> None:
    """Clients that have the root alone can follow the chain (RFC 8446 §4.4.2)."""
    broken = [
        f"{each.subject.rfc4514_string()} is followed by {after.subject.rfc4514_string()}"
        for each, after in pairwise(chain)
        if not _issued(each, after)
    ]
    must_equal("certificates that are not followed by their CA's", seen=broken, expected=[])


@pytest.mark.control("TLS-06")
def test_no_signature_in_the_chain_can_be_forged(chain: list[x509.Certificate]) -> None:
    """RFC 9155; nobody verifies a root's signature on itself."""
    weak = [
        f"{each.subject.rfc4514_string()}: {algorithm.name}"
        for each in chain
        if (algorithm := each.signature_hash_algorithm) and algorithm.name in _FORGEABLE
        if each.subject != each.issuer
    ]
    must_equal("certificates with a signature that can be forged", seen=weak, expected=[])


def _issued(each: x509.Certificate, after: x509.Certificate) -> bool:
    try:
        each.verify_directly_issued_by(after)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


@pytest.mark.control("TLS-07")
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/token",
        "/.well-known/oauth-authorization-server",
        "/.well-known/acme-challenge/",
        "/.well-known/acme-challenge/..%2f..%2f..%2f..%2fetc%2fpasswd",
    ],
)
def test_port_80_serves_nothing_but_challenges(path: str, port_80: PlainPort) -> None:
    """Nor does it redirect: a client that is led on has sent its request in the clear."""
    seen = port_80.answer(path)
    must_hold(
        f"port 80 must serve nothing at {path}",
        seen in (CLOSED, HUNG_UP, "400", "404"),
        expected=f"{CLOSED}, {HUNG_UP}, 400 or 404",
        seen=seen,
    )


@pytest.mark.control("TLS-08")
def test_no_private_key_lies_there_beside_the_servers_own(answers: dict[str, Answer]) -> None:
    """A CA's key belongs on the control machine, and a copy of the server's nowhere."""
    must_equal(
        "files below /etc/oauth2 that hold a private key, beside the signing keys",
        seen=sorted(answers["private"].lines),
        expected=answers["own"].lines,
    )


@pytest.mark.control("TLS-08")
def test_the_certificate_is_no_cas(certificate: x509.Certificate) -> None:
    """With the key of a CA whoever breaks in here can be any server."""
    constraints = [
        each.value.ca
        for each in certificate.extensions
        if isinstance(each.value, x509.BasicConstraints)
    ]
    must_equal("basicConstraints' CA of the certificate", seen=any(constraints), expected=False)
