"""A CA for labs and closed networks: its key lies on this machine and nowhere else, encrypted."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryFile

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pyinfra.api import HiddenValue

from roles.certificates.authority import Authority, self_signed
from roles.certificates.pair import DAMAGED, CertificateError, Pair, certificate_pem, key_pem
from roles.hostdata.certificates import LocalCaData
from roles.secrets import Source

# What encrypts the key (PKCS#8, PBES2) makes a guess cheap: the passphrase has to be a good one.
_PASSPHRASE_LENGTH = 20
_WARN_BEFORE = timedelta(days=180)


class LocalCaSource:
    """A host's certificate from the CA in `directory`, which the first one that needs it makes."""

    def __init__(self, data: LocalCaData, name: str) -> None:
        """Raises CertificateError for a CA that cannot be used, or could not be made.

        SecretError for a passphrase that cannot be had.
        """
        self._directory = data.directory
        self._name = name
        self._passphrase = _passphrase(data.passphrase)
        authority = self._load()
        if authority is None:
            _try_place(self._directory)
        self.warnings = [] if authority is None else list(self._warnings(authority))

    def accepts(self, chain: str, ca: str | None) -> bool:
        authority = self._load()
        return (
            authority is not None
            and ca == authority.pem
            and not authority.renews(chain, self._name, datetime.now(timezone.utc))
        )

    def supply(self) -> Pair:
        authority = establish(self._directory, self._passphrase)
        return authority.issue(self._name, datetime.now(timezone.utc))

    def key_is_plain(self) -> bool:
        """Whether the key lies there as versions before this one made it, for `encrypt`."""
        authority = self._load()
        return authority is not None and authority.key_is_plain

    def encrypt(self) -> None:
        """Put the encrypted key in the plain one's place, by one rename. Raises CertificateError.

        Of many at once the first one does it.
        """
        with _reasons(self._directory), _locked(self._directory):
            authority = self._load()
            if authority is not None and authority.key_is_plain:
                text = key_pem(authority.key, self._passphrase)
                _write(self._directory / "ca.key", text, mode=0o600)

    def _warnings(self, authority: Authority) -> Iterator[str]:
        ends = authority.certificate.not_valid_after_utc
        if ends - datetime.now(timezone.utc) <= _WARN_BEFORE:
            yield (
                f"the CA in {self._directory} expires on {ends:%Y-%m-%d}, and every certificate of "
                "it: clients will have to trust a new one"
            )

    def _load(self) -> Authority | None:
        return load(self._directory, self._passphrase)


def _passphrase(source: Source) -> HiddenValue:
    passphrase = source.read("passphrase")
    if len(passphrase.unmask()) < _PASSPHRASE_LENGTH:
        raise CertificateError(
            f"passphrase from {source} must have {_PASSPHRASE_LENGTH} characters or more: "
            "`openssl rand -base64 24` makes one"
        )
    return passphrase


def load(directory: Path, passphrase: HiddenValue) -> Authority | None:
    """The CA in `directory`, or None where there is none, or one that was never finished.

    Raises CertificateError when it is damaged, open to others, past its time, or has another
    passphrase.
    """
    with _reasons(directory):
        try:
            certificate = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
        except FileNotFoundError:
            return None
        except DAMAGED:
            raise CertificateError(f"{directory}/ca.pem must be a certificate in PEM") from None
        found = _load_key(directory, passphrase)
    if found is None:
        raise CertificateError(
            f"{directory} has a ca.pem but no ca.key: bring the key back, or remove ca.pem and "
            "every client has to trust a new CA"
        )
    key, is_plain = found
    if key.public_key() != certificate.public_key():
        raise CertificateError(f"{directory}/ca.key is not the key of ca.pem")
    if datetime.now(timezone.utc) >= certificate.not_valid_after_utc:
        raise CertificateError(
            f"the CA in {directory} expired on {certificate.not_valid_after_utc:%Y-%m-%d}: remove "
            "its files, and every client has to trust a new one"
        )
    return Authority(certificate, key, is_plain)


def establish(directory: Path, passphrase: HiddenValue) -> Authority:
    """The CA in `directory`, made if need be.

    Of many at once, in this process or others, one makes it. ca.pem comes last: a CA that was
    begun and not finished is finished with the key that lies there.

    Raises CertificateError.
    """
    if authority := load(directory, passphrase):
        return authority
    with _reasons(directory):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(directory):
            if authority := load(directory, passphrase):
                return authority
            if found := _load_key(directory, passphrase):
                key = found[0]
            else:
                key = ec.generate_private_key(ec.SECP256R1())
                _write(directory / "ca.key", key_pem(key, passphrase), mode=0o600)
            certificate = self_signed(key, datetime.now(timezone.utc))
            _write(directory / "ca.pem", certificate_pem(certificate), mode=0o644)
    return Authority(certificate, key)


def _try_place(directory: Path) -> None:
    """Make a file where the CA will be, or where its directory will; it is gone at once."""
    with _reasons(directory):
        there = next(path for path in (directory, *directory.parents) if path.exists())
        with TemporaryFile(dir=there):
            pass


def _load_key(
    directory: Path, passphrase: HiddenValue
) -> tuple[ec.EllipticCurvePrivateKey, bool] | None:
    """The key, and whether it lies there without a passphrase."""
    path = directory / "ca.key"
    try:
        if path.stat().st_mode & 0o077:
            raise CertificateError(
                f"{path} can be read by others: chmod 600 it, unless somebody did"
            )
        pem = path.read_bytes()
    except FileNotFoundError:
        return None
    is_plain = False
    try:
        try:
            key = serialization.load_pem_private_key(pem, passphrase.unmask().encode())
        except TypeError:  # it is not encrypted
            key, is_plain = serialization.load_pem_private_key(pem, password=None), True
    except (ValueError, UnsupportedAlgorithm):
        if b"ENCRYPTED" in pem:
            raise CertificateError(f"{path} does not open with this passphrase") from None
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{path} must be an EC key in PEM")
    return key, is_plain


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
