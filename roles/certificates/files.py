"""The operator's own certificate: read and checked here, before any host is changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from pyinfra.api import HiddenValue

from roles.certificates.pair import DAMAGED, CertificateError, Pair, certificate_pem, key_pem
from roles.certificates.rules import PrivateKey, faults, warnings
from roles.hostdata.certificates import CertificateFilesData

_MAX_BYTES = 1 << 20
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_MAX_CERTIFICATES = 10  # as many as OpenSSL follows


class FilesSource:
    """A chain and key that the inventory names; a second run leaves the same chain alone."""

    def __init__(self, data: CertificateFilesData, name: str) -> None:
        """Raises CertificateError, or SecretError for a key that cannot be had."""
        chain = _chain(data)
        key = _key(data)
        now = datetime.now(timezone.utc)
        if found := list(faults(chain, key, name, now)):
            raise CertificateError("\n".join(found))
        self.warnings = [*warnings(chain, now), *_open_key(data)]
        self._pair = Pair(
            chain="".join(certificate_pem(certificate) for certificate in chain),
            key=HiddenValue(key_pem(key)),
            ca=None,
        )

    def accepts(self, chain: str, ca: str | None) -> bool:
        return chain == self._pair.chain and ca is None

    def supply(self) -> Pair:
        return self._pair


def _chain(data: CertificateFilesData) -> list[x509.Certificate]:
    path = data.certificate
    try:
        contents = _contents(path)
        chain = x509.load_pem_x509_certificates(contents)
        for certificate in chain:  # these are parsed only when they are asked for
            certificate.public_key(), certificate.extensions
    except OSError as error:
        raise CertificateError(f"certificate {path} cannot be read: {error.strerror}") from None
    except DAMAGED:
        raise CertificateError(f"certificate {path} must hold certificates in PEM") from None
    if len(chain) != contents.count(_BEGIN):  # what has no end is passed over, and clients miss it
        raise CertificateError(f"certificate {path} ends within a certificate")
    if len(chain) > _MAX_CERTIFICATES:
        raise CertificateError(
            f"certificate {path} must hold one chain, leaf first: {_MAX_CERTIFICATES} certificates "
            f"at the most, not {len(chain)}"
        )
    return chain


def _contents(path: Path) -> bytes:
    """Raises OSError, and CertificateError for what is no file, or too large to be a chain."""
    # Nobody writes to a pipe by the time that this is opened, and this must not wait for it.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise CertificateError(f"certificate {path} must be a file")
        contents = file.read(_MAX_BYTES + 1)
    if len(contents) > _MAX_BYTES:
        raise CertificateError(f"certificate {path} must have {_MAX_BYTES} bytes at the most")
    return contents


def _open_key(data: CertificateFilesData) -> Iterator[str]:
    """Whether the key lies on this machine for others to read, too."""
    path = data.private_key.file
    if path is not None and path.stat().st_mode & 0o077:
        yield f"private_key {path} can be read by others on this machine: chmod 600 it"


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
