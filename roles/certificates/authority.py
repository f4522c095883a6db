"""A certificate authority: whom it certifies, for how long, and when that is due again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyinfra.api import HiddenValue

from roles.certificates import names
from roles.certificates.pair import DAMAGED, Pair, certificate_pem, key_pem

_CA_LIFETIME = timedelta(days=3650)
_LEAF_LIFETIME = timedelta(days=397)
# A host whose clock is a little late must not refuse what was made a moment ago.
_BACKDATED = timedelta(hours=1)


@dataclass(frozen=True)
class Authority:
    """The CA's certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    key_is_plain: bool = False

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


def self_signed(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    """The certificate of a new CA that has this key."""
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
