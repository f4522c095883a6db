"""Real certificates of every kind that the tests need, made by cryptography."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from pyinfra.api import HiddenValue

from roles.certificates import names
from roles.certificates.local_ca import LocalCaSource
from roles.certificates.pair import certificate_pem, key_pem
from roles.hostdata.certificates import LocalCaData
from roles.secrets import Source

NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)
PASSPHRASE = HiddenValue("correct horse battery staple")
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def local_ca(directory: Path) -> LocalCaData:
    """The inventory's words for a CA in `directory`, whose passphrase is PASSPHRASE."""
    command = ("printf", "%s", str(PASSPHRASE.unmask()))
    return LocalCaData(mode="local_ca", directory=directory, passphrase=Source(command=command))


def ca_source(directory: Path, name: str) -> LocalCaSource:
    return LocalCaSource(local_ca(directory), name)


class Entity:
    """A key and a certificate for it, signed by `issuer` or by itself."""

    def __init__(
        self,
        *sans: str,
        issuer: Entity | None = None,
        key: Key | None = None,
        ca: bool = False,
        begins: datetime = NOW - DAY,
        ends: datetime = NOW + 90 * DAY,
        common_name: str = "an entity",
        usage: ObjectIdentifier | None = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if sans:
            alternatives = [names.general_name(san) for san in sans]
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), False)
        if usage and not ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        self.certificate: x509.Certificate = builder.sign(
            issuer.key if issuer else self.key, hashes.SHA256()
        )

    @property
    def pem(self) -> str:
        return certificate_pem(self.certificate)

    @property
    def key_pem(self) -> str:
        return key_pem(self.key)
