"""What a certificate chain and its key must be, whoever made them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from roles.certificates import names

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_RSA_BITS = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_WEAK_HASHES = (hashes.MD5, hashes.SHA1)
WARN_BEFORE = timedelta(days=21)


def faults(
    chain: Sequence[x509.Certificate], key: PrivateKey, name: str, now: datetime
) -> Iterator[str]:
    """Every rule that a chain, leaf first, and its key break as the certificate of `name`."""
    leaf = chain[0]
    if key.public_key() != leaf.public_key():
        yield "the private key is not the one of the first certificate" + _whose(key, chain)
    if not names.covers(leaf, name):
        wanted = names.shown(names.general_name(name))
        yield (
            f"the certificate must have {wanted}, the issuer's host, among its subject "
            f"alternative names; it has {names.listed(leaf)}"
        )
    if not _serves_tls(leaf):
        yield "the certificate's extended key usage must include serverAuth (RFC 5280 §4.2.1.12)"
    if not _may(leaf, "digital_signature"):
        yield "the certificate's key usage must include digitalSignature (RFC 8446 §4.4.2.2)"
    for position, certificate in enumerate(chain, start=1):
        yield from _faults_of_one(f"certificate {position}", certificate, now)
    for position, (subject, issuer) in enumerate(pairwise(chain), start=1):
        if _weak_hash(subject) is not None:
            continue  # that is said already, and no signature of its kind is verified
        if not (_is_ca(issuer) and _signed(subject, issuer)):
            yield (
                f"certificate {position} must be followed by the one of the CA that signed it "
                "(RFC 8446 §4.4.2)"
            )
            continue
        limit = _path_length(issuer)
        # The leaf does not count, nor does a CA that certifies itself (RFC 5280 §4.2.1.9).
        if limit is not None and sum(c.subject != c.issuer for c in chain[1:position]) > limit:
            yield f"certificate {position + 1} allows {limit} CAs below it (RFC 5280 §4.2.1.9)"


def warnings(chain: Sequence[x509.Certificate], now: datetime) -> Iterator[str]:
    """What still works and soon will not."""
    ends = min(certificate.not_valid_after_utc for certificate in chain)
    if ends - now <= WARN_BEFORE:
        yield f"the certificate expires in {(ends - now).days} days, on {ends:%Y-%m-%d}"
    if len(chain) == 1 and _has(chain[0], x509.AuthorityInformationAccess):
        yield (
            "the file has the leaf alone: if an intermediate CA signed it, add that one's "
            "certificate, or clients that don't know it cannot connect"
        )


def _faults_of_one(which: str, certificate: x509.Certificate, now: datetime) -> Iterator[str]:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= ends:
        yield f"{which} expired on {ends:%Y-%m-%d %H:%M} UTC"
    if now < begins:
        yield f"{which} is not valid before {begins:%Y-%m-%d %H:%M} UTC"
    match certificate.public_key():
        case rsa.RSAPublicKey(key_size=bits) if bits < _RSA_BITS:
            yield f"{which} has an RSA key of {bits} bits; it must have {_RSA_BITS} or more"
        case ec.EllipticCurvePublicKey(curve=curve) if curve.name not in _CURVES:
            yield (
                f"{which} has an EC key on the curve {curve.name}; it must be P-256, P-384 or "
                "P-521 (RFC 8446 §4.2.3)"
            )
    if (weak := _weak_hash(certificate)) is not None:
        yield f"{which} is signed with {weak}, which can be forged (RFC 9155)"


def _weak_hash(certificate: x509.Certificate) -> str | None:
    algorithm = certificate.signature_hash_algorithm
    # Nobody verifies the signature of a root on itself.
    if certificate.subject == certificate.issuer or not isinstance(algorithm, _WEAK_HASHES):
        return None
    return algorithm.name.upper()


def _serves_tls(leaf: x509.Certificate) -> bool:
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.SERVER_AUTH in usage


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return constraints.ca and _may(certificate, "key_cert_sign")


def _path_length(certificate: x509.Certificate) -> int | None:
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length


def _may(certificate: x509.Certificate, usage: str) -> bool:
    """Without the extension a key is for everything (RFC 5280 §4.2.1.3)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound:
        return True
    return bool(getattr(extension.value, usage))


def _has(certificate: x509.Certificate, extension: type[x509.ExtensionType]) -> bool:
    return any(isinstance(found.value, extension) for found in certificate.extensions)


def _whose(key: PrivateKey, chain: Sequence[x509.Certificate]) -> str:
    for position, certificate in enumerate(chain[1:], start=2):
        if key.public_key() == certificate.public_key():
            return f" but of certificate {position}; the leaf must come first"
    return ""


def _signed(subject: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
