"""A certificate chain with its key, as text, and where one comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pyinfra.api import HiddenValue

from roles.errors import DeployError


class CertificateError(DeployError):
    """A certificate, key or CA on this machine that cannot be used; a line for each rule."""


# What cryptography raises for a certificate that is none.
DAMAGED = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True)
class Pair:
    """`chain` has the leaf first; `ca` is what clients need if no public CA made it. All PEM."""

    chain: str
    key: HiddenValue
    ca: str | None


class PairSource(Protocol):
    """Whoever supplies a host with its certificate.

    `ca` is None where the host gets no ca.pem, and also while the CA is yet to be made.
    """

    def accepts(self, chain: str, ca: str | None) -> bool:
        """Whether a host that already serves `chain`, beside this ca.pem, needs no other."""
        ...

    def supply(self) -> Pair:
        """The pair to install. Raises CertificateError."""
        ...


def certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: HiddenValue | None = None
) -> str:
    """PKCS#8: without a passphrase it is what nginx and the server read."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase.unmask().encode())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    ).decode()
