"""A CA for labs and closed networks: its key lies on this machine and nowhere else."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyinfra.api import HiddenValue

from roles.certificates import names
from roles.certificates.pair import DAMAGED, CertificateError, Pair, certificate_pem, key_pem

_CA_LIFETIME = timedelta(days=3650)
_LEAF_LIFETIME = timedelta(days=397)
# A host whose clock is a little late must not refuse what was made a moment ago.
_BACKDATED = timedelta(hours=1)


@dataclass(frozen=True)
class Authority:
    """The CA's certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return certificate_pem(self.certificate)

    def issue(self, name: str, now: datetime) -> Pair:
        """A new key and a certificate for it; the key is in the answer and nowhere else."""
        key = ec.generate_private_key(ec.SECP256R1())
        ends = min(now - _BACKDATED + _LEAF_LIFETIME, self.certificate.not_valid_after_utc)
        leaf = (
            _builder(key.public_key(), now, ends)
            .subject_name(_common_name(name[:64]))  # X.520's limit; the name that counts is below
            .issuer_name(self.certificate.subject)
            .add_extension(x509.SubjectAlternativeName([names.general_name(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        return Pair(chain=certificate_pem(leaf), key=HiddenValue(key_pem(key)), ca=self.pem)

    def renews(self, chain: str, name: str, now: datetime) -> bool:
        """Whether `chain` is not, or in its last third no longer, our certificate of `name`."""
        try:
            [leaf] = x509.load_pem_x509_certificates(chain.encode())
            leaf.verify_directly_issued_by(self.certificate)
            named = names.subject_names(leaf) == [names.general_name(name)]
        except (*DAMAGED, TypeError, InvalidSignature):
            return True
        begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
        return not named or now < begins or (ends - now) * 3 <= ends - begins


class LocalCaSource:
    """A host's certificate from the CA in `directory`, which the first one that needs it makes."""

    def __init__(self, directory: Path, name: str) -> None:
        """Raises CertificateError for a CA that cannot be used, or could not be made."""
        self._directory = directory
        self._name = name
        if load(directory) is None:
            _try_place(directory)

    def accepts(self, chain: str, ca: str | None) -> bool:
        authority = load(self._directory)
        return (
            authority is not None
            and ca == authority.pem
            and not authority.renews(chain, self._name, datetime.now(timezone.utc))
        )

    def supply(self) -> Pair:
        return establish(self._directory).issue(self._name, datetime.now(timezone.utc))


def load(directory: Path) -> Authority | None:
    """The CA in `directory`, or None where there is none, or one that was never finished.

    Raises CertificateError when it is damaged, open to others, or past its time.
    """
    with _reasons(directory):
        try:
            certificate = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
        except FileNotFoundError:
            return None
        except DAMAGED:
            raise CertificateError(f"{directory}/ca.pem must be a certificate in PEM") from None
        key = _load_key(directory)
    if key is None:
        raise CertificateError(
            f"{directory} has a ca.pem but no ca.key: bring the key back, or remove ca.pem and "
            "every client has to trust a new CA"
        )
    if key.public_key() != certificate.public_key():
        raise CertificateError(f"{directory}/ca.key is not the key of ca.pem")
    if datetime.now(timezone.utc) >= certificate.not_valid_after_utc:
        raise CertificateError(
            f"the CA in {directory} expired on {certificate.not_valid_after_utc:%Y-%m-%d}: remove "
            "its files, and every client has to trust a new one"
        )
    return Authority(certificate, key)


def establish(directory: Path) -> Authority:
    """The CA in `directory`, made if need be.

    Of many at once, in this process or others, one makes it. ca.pem comes last: a CA that was
    begun and not finished is finished with the key that lies there.

    Raises CertificateError.
    """
    if authority := load(directory):
        return authority
    with _reasons(directory):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(directory):
            if authority := load(directory):
                return authority
            key = _load_key(directory)
            if key is None:
                key = ec.generate_private_key(ec.SECP256R1())
                _write(directory / "ca.key", key_pem(key), mode=0o600)
            certificate = _self_signed(key, datetime.now(timezone.utc))
            _write(directory / "ca.pem", certificate_pem(certificate), mode=0o644)
    return Authority(certificate, key)


def _try_place(directory: Path) -> None:
    """Make a file where the CA will be, or where its directory will; it is gone at once."""
    with _reasons(directory):
        there = next(path for path in (directory, *directory.parents) if path.exists())
        with TemporaryFile(dir=there):
            pass


def _load_key(directory: Path) -> ec.EllipticCurvePrivateKey | None:
    path = directory / "ca.key"
    try:
        if path.stat().st_mode & 0o077:
            raise CertificateError(
                f"{path} can be read by others: chmod 600 it, unless somebody did"
            )
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{path} must be an unencrypted EC key in PEM")
    return key


def _self_signed(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    # Two labs' CAs must not share a name: clients that trust both would try the wrong one.
    name = _common_name(f"Portcullis local CA {token_hex(4)}")
    return (
        _builder(key.public_key(), now, now + _CA_LIFETIME)
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _builder(
    public_key: ec.EllipticCurvePublicKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _common_name(value: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value)])


def _write(path: Path, content: str, *, mode: int) -> None:
    """By one rename, on the disk before it, and never wider than `mode`."""
    candidate = path.with_name(f".{path.name}.new")
    candidate.unlink(missing_ok=True)
    with os.fdopen(os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    candidate.replace(path)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Held by one at a time. Nothing in it may yield to another greenlet, which would wait here."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _reasons(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CertificateError(
            f"directory {directory} cannot be used: {error.strerror or error}"
        ) from None
