"""The operator's own certificate: every rule is checked before a host is changed."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from roles.certificates import names
from roles.certificates.files import FilesSource
from roles.certificates.pair import CertificateError
from roles.certificates.rules import faults, warnings
from roles.hostdata.certificates import CertificateFilesData
from roles.secrets import SecretError, Source
from tests.unit.roles.certificate_factory import DAY, NOW, Entity

NAME = "auth.example.com"
ROOT = Entity(ca=True, common_name="root")
MIDDLE = Entity(ca=True, issuer=ROOT, common_name="middle")


def _faults(*chain: Entity, name: str = NAME, now: datetime = NOW) -> list[str]:
    certificates = [entity.certificate for entity in chain]
    return list(faults(certificates, chain[0].key, name, now))


def _data(tmp_path: Path, certificate: str, key: str) -> CertificateFilesData:
    (tmp_path / "chain.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    return CertificateFilesData(
        mode="files",
        certificate=tmp_path / "chain.pem",
        private_key=Source(file=tmp_path / "key.pem"),
    )


@pytest.fixture(scope="module")
def leaf() -> Entity:
    return Entity(NAME, issuer=MIDDLE)


def test_a_leaf_with_its_chain_has_no_fault(leaf: Entity) -> None:
    assert _faults(leaf, MIDDLE, ROOT) == []


def test_the_root_may_be_left_out(leaf: Entity) -> None:
    """RFC 8446 §4.4.2: whoever trusts the root has it."""
    assert _faults(leaf, MIDDLE) == []


@pytest.mark.parametrize(
    ("san", "name", "covered"),
    [
        pytest.param("auth.example.com", "auth.example.com", True, id="the-name"),
        pytest.param("AUTH.example.COM", "auth.example.com", True, id="letter-case"),
        pytest.param("*.example.com", "auth.example.com", True, id="rfc9525-6.3-wildcard"),
        pytest.param("*.example.com", "a.auth.example.com", False, id="rfc9525-6.3-one-label"),
        pytest.param("*.example.com", "example.com", False, id="rfc9525-6.3-no-label"),
        pytest.param("au*.example.com", "auth.example.com", False, id="rfc9525-6.3-part-of-label"),
        pytest.param("example.com", "auth.example.com", False, id="the-parent"),
        pytest.param("192.0.2.7", "192.0.2.7", True, id="address"),
        pytest.param("192.0.2.7", "192.0.2.8", False, id="another-address"),
        pytest.param("*.0.2.7", "192.0.2.7", False, id="a-wildcard-is-no-address"),
        pytest.param("2001:db8::7", "2001:db8:0::7", True, id="one-ipv6-address-two-spellings"),
    ],
)
def test_names_cover_the_issuers_host(san: str, name: str, covered: bool) -> None:
    found = _faults(Entity(san, issuer=MIDDLE), MIDDLE, name=name)
    assert found == ([] if covered else [_misnamed(_kind(name) + name, _kind(san) + san)])


def _kind(name: str) -> str:
    return "IP:" if name.replace(".", "").isdigit() else "DNS:"


def _misnamed(wanted: str, found: str) -> str:
    return (
        f"the certificate must have {wanted}, the issuer's host, among its subject alternative "
        f"names; it has {found}"
    )


def test_an_address_that_stands_there_as_a_dns_name_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(names, "general_name", x509.DNSName)
        leaf = Entity("192.0.2.7", issuer=MIDDLE)
    assert _faults(leaf, MIDDLE, name="192.0.2.7") == [_misnamed("IP:192.0.2.7", "DNS:192.0.2.7")]


def test_the_common_name_counts_for_nothing() -> None:
    """RFC 9525 §2: clients stopped reading it."""
    [fault] = _faults(Entity(issuer=MIDDLE, common_name=NAME), MIDDLE)
    assert fault.endswith("; it has none")


def test_a_key_of_another_certificate_is_refused(leaf: Entity) -> None:
    found = list(faults([leaf.certificate], MIDDLE.key, NAME, NOW))
    assert found == ["the private key is not the one of the first certificate"]


def test_an_expired_certificate_is_refused_from_its_last_second_on(leaf: Entity) -> None:
    ends = leaf.certificate.not_valid_after_utc
    assert _faults(leaf, now=ends - DAY / 86_400) == []
    assert _faults(leaf, now=ends) == [f"certificate 1 expired on {ends:%Y-%m-%d %H:%M} UTC"]


def test_a_certificate_that_is_not_yet_valid_is_refused() -> None:
    begins = NOW + DAY
    assert _faults(Entity(NAME, begins=begins)) == [
        f"certificate 1 is not valid before {begins:%Y-%m-%d %H:%M} UTC"
    ]


def test_an_expired_intermediate_is_refused() -> None:
    old = Entity(ca=True, issuer=ROOT, common_name="old", ends=NOW)
    [fault] = _faults(Entity(NAME, issuer=old), old, ROOT)
    assert fault.startswith("certificate 2 expired")


@pytest.mark.parametrize(
    ("key", "seen"),
    [
        pytest.param(
            rsa.generate_private_key(65537, 1024),  # noqa: S505 - what must be refused
            "certificate 1 has an RSA key of 1024 bits; it must have 2048 or more",
            id="rsa-1024",
        ),
        pytest.param(
            ec.generate_private_key(ec.SECP224R1()),
            "certificate 1 has an EC key on the curve secp224r1; it must be P-256, P-384 or P-521 "
            "(RFC 8446 §4.2.3)",
            id="p-224",
        ),
    ],
)
def test_a_short_key_is_refused(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, seen: str
) -> None:
    assert _faults(Entity(NAME, key=key, issuer=MIDDLE), MIDDLE) == [seen]


def test_an_rsa_key_of_2048_bits_is_enough() -> None:
    assert _faults(Entity(NAME, key=rsa.generate_private_key(65537, 2048))) == []


@pytest.mark.parametrize("order", [(0, 2, 1), (0, 2)], ids=["shuffled", "intermediate-missing"])
def test_a_chain_that_does_not_lead_from_one_to_the_next_is_refused(
    leaf: Entity, order: tuple[int, ...]
) -> None:
    chain = [leaf, MIDDLE, ROOT]
    found = _faults(*(chain[position] for position in order))
    assert "certificate 1 must be followed by the one of the CA that signed it" in found[0]


def test_an_issuer_of_the_right_name_and_the_wrong_key_is_refused(leaf: Entity) -> None:
    impostor = Entity(ca=True, issuer=ROOT, common_name="middle")
    [fault] = _faults(leaf, impostor, ROOT)
    assert fault.startswith("certificate 1 must be followed by")


def test_a_certificate_signed_by_one_that_is_no_ca_is_refused(leaf: Entity) -> None:
    [fault] = _faults(Entity(NAME, issuer=leaf), leaf, MIDDLE)
    assert fault.startswith("certificate 1 must be followed by the one of the CA")


def test_a_certificate_for_clients_is_refused() -> None:
    [fault] = _faults(Entity(NAME, usage=ExtendedKeyUsageOID.CLIENT_AUTH))
    assert "serverAuth" in fault


def test_a_certificate_without_extended_key_usage_serves_anything() -> None:
    assert _faults(Entity(NAME, usage=None)) == []


def test_the_last_three_weeks_of_any_certificate_in_the_chain_are_a_warning() -> None:
    middle = Entity(ca=True, issuer=ROOT, ends=NOW + 21 * DAY)
    chain = [Entity(NAME, issuer=middle).certificate, middle.certificate]
    ends = middle.certificate.not_valid_after_utc
    assert list(warnings(chain, NOW)) == [f"the certificate expires in 21 days, on {ends:%Y-%m-%d}"]
    assert list(warnings(chain, NOW - DAY / 86_400)) == []


def test_every_fault_has_its_line(tmp_path: Path) -> None:
    data = _data(tmp_path, Entity("other.example.com", ends=NOW).pem, ROOT.key_pem)
    with pytest.raises(CertificateError) as refused:
        FilesSource(data, NAME)
    assert [line.split(";")[0] for line in str(refused.value).splitlines()] == [
        "the private key is not the one of the first certificate",
        _misnamed(f"DNS:{NAME}", "").split(";")[0],
        f"certificate 1 expired on {NOW:%Y-%m-%d %H:%M} UTC",
    ]


def test_the_host_gets_the_chain_and_the_key_and_no_ca(tmp_path: Path, leaf: Entity) -> None:
    comment = "subject=CN = an entity\n"
    source = FilesSource(_data(tmp_path, comment + leaf.pem + MIDDLE.pem, leaf.key_pem), NAME)
    pair = source.supply()
    assert (pair.chain, pair.key.unmask(), pair.ca) == (leaf.pem + MIDDLE.pem, leaf.key_pem, None)


def test_a_host_with_this_chain_needs_no_other(tmp_path: Path, leaf: Entity) -> None:
    source = FilesSource(_data(tmp_path, leaf.pem + MIDDLE.pem, leaf.key_pem), NAME)
    assert source.accepts(leaf.pem + MIDDLE.pem, None)
    assert not source.accepts(leaf.pem, None)
    assert not source.accepts(leaf.pem + MIDDLE.pem, ROOT.pem)


def _encrypted(leaf: Entity) -> str:
    return leaf.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"a passphrase"),
    ).decode()


def _ed25519() -> str:
    return (
        ed25519.Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def test_a_key_that_cannot_be_used_is_refused_without_being_shown(
    tmp_path: Path, leaf: Entity
) -> None:
    rules = {
        _encrypted(leaf): "is encrypted; name a source that decrypts it",
        _ed25519(): "must be an RSA or EC key",
        leaf.pem: "must be a private key in PEM",
        leaf.key_pem[:-60]: "must be a private key in PEM",
    }
    for number, (key, rule) in enumerate(rules.items()):
        place = tmp_path / str(number)  # a secret is read once a run
        place.mkdir()
        with pytest.raises(CertificateError, match=rule) as refused:
            FilesSource(_data(place, leaf.pem, key), NAME)
        assert f"file {place}/key.pem" in str(refused.value)
        assert key.splitlines()[1] not in str(refused.value)


def _of_another_version() -> str:
    der = Entity(NAME).certificate.public_bytes(serialization.Encoding.DER)
    later = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09", 1)
    return ssl.DER_cert_to_PEM_cert(later)


@pytest.mark.parametrize(
    "text", [_of_another_version(), "", "no certificate", "-----BEGIN CERTIFICATE-----\nAA==\n"]
)
def test_a_file_without_certificates_is_refused(tmp_path: Path, leaf: Entity, text: str) -> None:
    with pytest.raises(CertificateError, match=r"chain\.pem must hold certificates in PEM"):
        FilesSource(_data(tmp_path, text, leaf.key_pem), NAME)


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, leaf: Entity) -> None:
    """Clients that lack the second certificate would refuse the first."""
    for end in (40, len(MIDDLE.pem) // 2, len(MIDDLE.pem) - 2):
        data = _data(tmp_path, leaf.pem + MIDDLE.pem[:end], leaf.key_pem)
        with pytest.raises(CertificateError, match=r"chain\.pem ends within a certificate"):
            FilesSource(data, NAME)


def test_files_that_are_missing_are_named(tmp_path: Path, leaf: Entity) -> None:
    data = _data(tmp_path, leaf.pem, leaf.key_pem)
    (tmp_path / "key.pem").unlink()
    with pytest.raises(SecretError, match=r"^private_key: file .*key\.pem cannot be read: No such"):
        FilesSource(data, NAME)
    (tmp_path / "chain.pem").unlink()
    with pytest.raises(CertificateError, match=r"chain\.pem cannot be read: No such file"):
        FilesSource(data, NAME)
