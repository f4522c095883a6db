"""The operator's own certificate: read and checked here, before any host is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyinfra.api import HiddenValue

from roles.certificates import names
from roles.certificates.pair import DAMAGED, CertificateError, Pair, certificate_pem, key_pem
from roles.hostdata import CertificateFilesData

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_RSA_BITS = 2048
_EC_BITS = 256
_WARN_BEFORE = timedelta(days=21)


class FilesSource:
    """A chain and key that the inventory names; a second run leaves the same chain alone."""

    def __init__(self, data: CertificateFilesData, name: str) -> None:
        """Raises CertificateError, or SecretError for a key that cannot be had."""
        chain = _chain(data)
        key = _key(data)
        now = datetime.now(timezone.utc)
        if found := list(faults(chain, key, name, now)):
            raise CertificateError("\n".join(found))
        self.warnings = list(warnings(chain, now))
        self._pair = Pair(
            chain="".join(certificate_pem(certificate) for certificate in chain),
            key=HiddenValue(key_pem(key)),
            ca=None,
        )

    def accepts(self, chain: str, ca: str | None) -> bool:
        return chain == self._pair.chain and ca is None

    def supply(self) -> Pair:
        return self._pair


def faults(
    chain: Sequence[x509.Certificate], key: PrivateKey, name: str, now: datetime
) -> Iterator[str]:
    """Every rule that a chain, leaf first, and its key break as the certificate of `name`."""
    leaf = chain[0]
    if key.public_key() != leaf.public_key():
        yield "the private key is not the one of the first certificate"
    if not names.covers(leaf, name):
        wanted = names.shown(names.general_name(name))
        yield (
            f"the certificate must have {wanted}, the issuer's host, among its subject "
            f"alternative names; it has {names.listed(leaf)}"
        )
    if not _serves_tls(leaf):
        yield "the certificate's extended key usage must include serverAuth (RFC 5280 §4.2.1.12)"
    for position, certificate in enumerate(chain, start=1):
        yield from _faults_of_one(f"certificate {position}", certificate, now)
    for position, (subject, issuer) in enumerate(pairwise(chain), start=1):
        if not _is_ca(issuer) or not _signed(subject, issuer):
            yield (
                f"certificate {position} must be followed by the one of the CA that signed it "
                "(RFC 8446 §4.4.2)"
            )


def warnings(chain: Sequence[x509.Certificate], now: datetime) -> Iterator[str]:
    """What still works and soon will not."""
    ends = min(certificate.not_valid_after_utc for certificate in chain)
    if ends - now <= _WARN_BEFORE:
        yield f"the certificate expires in {(ends - now).days} days, on {ends:%Y-%m-%d}"


def _faults_of_one(which: str, certificate: x509.Certificate, now: datetime) -> Iterator[str]:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= ends:
        yield f"{which} expired on {ends:%Y-%m-%d %H:%M} UTC"
    if now < begins:
        yield f"{which} is not valid before {begins:%Y-%m-%d %H:%M} UTC"
    match certificate.public_key():
        case rsa.RSAPublicKey(key_size=bits) if bits < _RSA_BITS:
            yield f"{which} has an RSA key of {bits} bits; it must have {_RSA_BITS} or more"
        case ec.EllipticCurvePublicKey(key_size=bits) if bits < _EC_BITS:
            yield f"{which} has an EC key of {bits} bits; it must have {_EC_BITS} or more"


def _serves_tls(leaf: x509.Certificate) -> bool:
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.SERVER_AUTH in usage


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _signed(subject: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _chain(data: CertificateFilesData) -> list[x509.Certificate]:
    path = data.certificate
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
        for certificate in chain:  # these are parsed only when they are asked for
            certificate.public_key(), certificate.extensions
    except OSError as error:
        raise CertificateError(f"certificate {path} cannot be read: {error.strerror}") from None
    except DAMAGED:
        raise CertificateError(f"certificate {path} must hold certificates in PEM") from None
    return chain


def _key(data: CertificateFilesData) -> PrivateKey:
    secret = data.private_key.read("private_key").unmask().encode()
    try:
        key = serialization.load_pem_private_key(secret, password=None)
    except TypeError:
        raise CertificateError(
            f"private_key from {data.private_key} is encrypted; name a source that decrypts it"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(
            f"private_key from {data.private_key} must be a private key in PEM"
        ) from None
    if not isinstance(key, PrivateKey):
        raise CertificateError(f"private_key from {data.private_key} must be an RSA or EC key")
    return key
