"""Chains and keys as operators have them: made by openssl, in all the ways that go wrong."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from roles.certificates.files import FilesSource
from roles.certificates.pair import CertificateError
from roles.hostdata.certificates import CertificateFilesData
from roles.secrets import Source

NAME = "auth.example.com"

_EXTENSIONS = f"""\
[ca]
basicConstraints=critical,CA:true
keyUsage=critical,keyCertSign
[ca_without_cas]
basicConstraints=critical,CA:true,pathlen:0
[ca_that_signs_no_certificates]
basicConstraints=critical,CA:true
keyUsage=critical,cRLSign
[leaf]
subjectAltName=DNS:{NAME}
[wildcard]
subjectAltName=DNS:*.example.com
[no_name]
basicConstraints=CA:false
[encrypts]
subjectAltName=DNS:{NAME}
keyUsage=keyEncipherment
[published]
subjectAltName=DNS:{NAME}
authorityInfoAccess=caIssuers;URI:http://ca.example.com/
"""


class Workshop:
    """A directory in which openssl makes certificates by name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "extensions").write_text(_EXTENSIONS)

    def openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)

    def key(
        self, name: str, algorithm: str = "EC", option: str = "ec_paramgen_curve:P-256"
    ) -> None:
        self.openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", f"{name}.key")

    def signed(self, name: str, by: str, extensions: str, *more: str, common_name: str = "") -> str:
        """The PEM of a certificate with a key of its own; `by` may be itself."""
        if not (self.directory / f"{name}.key").exists():
            self.key(name)
        subject = f"/CN={common_name or name}"
        self.openssl("req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", "request")
        signer = ["-signkey", f"{by}.key"] if by == name else ["-CA", f"{by}.pem"]
        signer += [] if by == name else ["-CAkey", f"{by}.key", "-CAcreateserial"]
        self.openssl(
            *("x509", "-req", "-in", "request", "-extfile", "extensions", "-out", f"{name}.pem"),
            *("-extensions", extensions, *signer, *(more or ("-days", "90"))),
        )
        return (self.directory / f"{name}.pem").read_text()

    def source(self, *names: str, key: str = "leaf.key") -> FilesSource:
        """Raises CertificateError."""
        chain = "".join((self.directory / f"{name}.pem").read_text() for name in names)
        (self.directory / "chain.pem").write_text(chain)
        return FilesSource(
            CertificateFilesData(
                mode="files",
                certificate=self.directory / "chain.pem",
                private_key=Source(file=self.directory / key),
            ),
            NAME,
        )

    def refusal(self, *names: str, key: str = "leaf.key") -> list[str]:
        with pytest.raises(CertificateError) as refused:
            self.source(*names, key=key)
        return str(refused.value).splitlines()


@pytest.fixture
def made(tmp_path: Path) -> Workshop:
    """A root, an intermediate, and a leaf of it."""
    workshop = Workshop(tmp_path)
    workshop.signed("root", "root", "ca")
    workshop.signed("middle", "root", "ca")
    workshop.signed("leaf", "middle", "leaf")
    return workshop


def test_what_openssl_makes_by_the_book_is_taken(made: Workshop) -> None:
    assert made.source("leaf", "middle").warnings == []
    assert made.source("leaf", "middle", "root").warnings == []


def test_a_wildcard_is_taken(made: Workshop) -> None:
    made.signed("leaf", "middle", "wildcard")
    made.source("leaf", "middle")


def test_a_name_in_the_common_name_alone_is_refused(made: Workshop) -> None:
    made.signed("leaf", "middle", "no_name", common_name=NAME)
    [fault] = made.refusal("leaf", "middle")
    assert fault.endswith("the issuer's host, among its subject alternative names; it has none")


def test_a_chain_in_the_wrong_order_is_refused_with_the_place_of_the_leaf(made: Workshop) -> None:
    assert made.refusal("middle", "leaf")[0] == (
        "the private key is not the one of the first certificate but of certificate 2; the leaf "
        "must come first"
    )
    assert made.refusal("leaf", "root", "middle") == [
        "certificate 1 must be followed by the one of the CA that signed it (RFC 8446 §4.4.2)",
        "certificate 2 must be followed by the one of the CA that signed it (RFC 8446 §4.4.2)",
    ]


def test_a_chain_of_somebody_else_is_refused(made: Workshop) -> None:
    made.signed("stranger", "stranger", "ca", common_name="middle")
    [fault] = made.refusal("leaf", "stranger")
    assert fault.startswith("certificate 1 must be followed by")


def test_an_expired_leaf_and_an_expired_intermediate_are_refused(made: Workshop) -> None:
    made.signed("middle", "root", "ca", "-days", "-1")
    made.signed("leaf", "middle", "leaf", "-days", "-1")
    first, second = made.refusal("leaf", "middle")
    assert first.startswith("certificate 1 expired on ")
    assert second.startswith("certificate 2 expired on ")


def test_a_signature_that_can_be_forged_is_refused_wherever_it_counts(made: Workshop) -> None:
    made.signed("root", "root", "ca", "-sha1", "-days", "90")
    made.signed("middle", "root", "ca", "-sha1", "-days", "90")
    made.signed("leaf", "middle", "leaf")
    assert made.refusal("leaf", "middle", "root") == [
        "certificate 2 is signed with SHA1, which can be forged (RFC 9155)"
    ]


def test_short_keys_and_curves_that_tls_does_not_know_are_refused(made: Workshop) -> None:
    made.key("leaf", "RSA", "rsa_keygen_bits:1024")
    made.signed("leaf", "middle", "leaf")
    assert made.refusal("leaf", "middle") == [
        "certificate 1 has an RSA key of 1024 bits; it must have 2048 or more"
    ]
    made.key("leaf2", option="ec_paramgen_curve:secp256k1")
    made.signed("leaf2", "middle", "leaf")
    [fault] = made.refusal("leaf2", "middle", key="leaf2.key")
    assert fault == (
        "certificate 1 has an EC key on the curve secp256k1; it must be P-256, P-384 or P-521 "
        "(RFC 8446 §4.2.3)"
    )


def test_a_key_that_may_not_sign_is_refused(made: Workshop) -> None:
    made.signed("leaf", "middle", "encrypts")
    assert made.refusal("leaf", "middle") == [
        "the certificate's key usage must include digitalSignature (RFC 8446 §4.4.2.2)"
    ]


def test_a_ca_that_may_not_sign_this_is_refused(made: Workshop) -> None:
    made.signed("middle", "root", "ca_that_signs_no_certificates")
    made.signed("leaf", "middle", "leaf")
    [fault] = made.refusal("leaf", "middle")
    assert fault.startswith("certificate 1 must be followed by the one of the CA that signed it")
    made.signed("root", "root", "ca_without_cas")
    made.signed("middle", "root", "ca")
    made.signed("leaf", "middle", "leaf")
    assert made.refusal("leaf", "middle", "root") == [
        "certificate 3 allows 0 CAs below it (RFC 5280 §4.2.1.9)"
    ]


def test_a_key_of_another_certificate_is_refused(made: Workshop) -> None:
    made.key("other")
    assert made.refusal("leaf", "middle", key="other.key") == [
        "the private key is not the one of the first certificate"
    ]


@pytest.mark.parametrize(
    "convert",
    [
        pytest.param(("pkcs8", "-topk8", "-passout", "pass:secret"), id="pkcs8"),
        pytest.param(("ec", "-aes256", "-passout", "pass:secret"), id="traditional"),
    ],
)
def test_an_encrypted_key_is_refused(made: Workshop, convert: tuple[str, ...]) -> None:
    made.openssl(*convert, "-in", "leaf.key", "-out", "encrypted.key")
    [fault] = made.refusal("leaf", "middle", key="encrypted.key")
    assert fault.endswith("encrypted.key is encrypted; name a source that decrypts it")


@pytest.mark.parametrize("convert", [("ec",), ("pkey", "-traditional")])
def test_a_key_in_the_older_format_is_taken(made: Workshop, convert: tuple[str, ...]) -> None:
    made.openssl(*convert, "-in", "leaf.key", "-out", "older.key")
    made.source("leaf", "middle", key="older.key")


def test_a_key_that_others_can_read_is_a_warning(made: Workshop) -> None:
    (made.directory / "leaf.key").chmod(0o640)
    assert made.source("leaf", "middle").warnings == [
        f"private_key {made.directory}/leaf.key can be read by others on this machine: chmod 600 it"
    ]


def test_a_leaf_alone_whose_ca_is_published_is_a_warning(made: Workshop) -> None:
    made.signed("leaf", "middle", "published")
    [warning] = made.source("leaf").warnings
    assert warning.startswith("the file has the leaf alone: if an intermediate CA signed it")
    assert made.source("leaf", "middle").warnings == []


def test_a_bundle_is_no_chain_and_a_huge_file_is_not_read(made: Workshop) -> None:
    [fault] = made.refusal("leaf", *["root"] * 10)
    assert fault.endswith("leaf first: 10 certificates at the most, not 11")
    (made.directory / "middle.pem").write_text("x" * (1 << 20))
    [fault] = made.refusal("leaf", "middle")
    assert fault.endswith("chain.pem must have 1048576 bytes at the most")


def test_a_pipe_is_no_certificate_and_blocks_nobody(made: Workshop) -> None:
    made.source("leaf", "middle")
    (made.directory / "chain.pem").unlink()
    os.mkfifo(made.directory / "chain.pem")
    data = CertificateFilesData(
        mode="files",
        certificate=made.directory / "chain.pem",
        private_key=Source(file=made.directory / "leaf.key"),
    )
    with pytest.raises(CertificateError, match=r"chain\.pem must be a file$"):
        FilesSource(data, NAME)
