"""The local CA: made once, whoever asks first, and its key stays where it was made."""

from __future__ import annotations

import ssl
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyinfra.api import HiddenValue

from roles.certificates import authority as authorities
from roles.certificates import local_ca
from roles.certificates.local_ca import LocalCaSource, establish, load
from roles.certificates.pair import CertificateError, key_pem
from roles.hostdata.certificates import LocalCaData
from roles.secrets import SecretError, Source
from tests.unit.roles.certificate_factory import DAY, NOW, PASSPHRASE, Entity, ca_source

NAME = "auth.example.com"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "made" / "ca"


def _contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def _leaf(chain: str) -> x509.Certificate:
    [leaf] = x509.load_pem_x509_certificates(chain.encode())
    return leaf


def test_the_ca_lives_for_ten_years_in_a_directory_of_its_owner(directory: Path) -> None:
    certificate = establish(directory, PASSPHRASE).certificate
    assert certificate.not_valid_after_utc >= NOW + timedelta(days=3649)
    assert oct(directory.stat().st_mode & 0o777) == "0o700"
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in directory.iterdir()}
    assert modes == {"ca.key": "0o600", "ca.pem": "0o644"}


def test_asking_again_finds_the_same_ca(directory: Path) -> None:
    establish(directory, PASSPHRASE)
    before = _contents(directory)
    establish(directory, PASSPHRASE)
    assert _contents(directory) == before


def test_of_many_runs_at_once_one_makes_the_ca(directory: Path) -> None:
    program = (
        "import sys, pathlib; from roles.certificates.local_ca import establish; "
        "from tests.unit.roles.certificate_factory import PASSPHRASE; "
        "print(establish(pathlib.Path(sys.argv[1]), PASSPHRASE).pem)"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", program, directory], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    assert len({run.communicate()[0] for run in runs}) == 1
    assert [run.returncode for run in runs] == [0] * 4


def test_a_ca_that_was_killed_half_way_is_finished_with_its_own_key(directory: Path) -> None:
    first = establish(directory, PASSPHRASE)
    (directory / "ca.pem").unlink()
    (directory / ".ca.pem.new").write_bytes(b"-----BEGIN")
    assert load(directory, PASSPHRASE) is None
    assert establish(directory, PASSPHRASE).key.private_numbers() == first.key.private_numbers()
    assert sorted(_contents(directory)) == ["ca.key", "ca.pem"]


def test_a_ca_without_its_key_is_never_replaced(directory: Path) -> None:
    establish(directory, PASSPHRASE)
    (directory / "ca.key").unlink()
    with pytest.raises(CertificateError, match=r"has a ca\.pem but no ca\.key"):
        establish(directory, PASSPHRASE)
    assert list(_contents(directory)) == ["ca.pem"]


def test_a_ca_with_anothers_key_is_refused(directory: Path) -> None:
    establish(directory, PASSPHRASE)
    (directory / "ca.key").write_text(Entity().key_pem)
    with pytest.raises(CertificateError, match=r"ca\.key is not the key of ca\.pem"):
        load(directory, PASSPHRASE)


@pytest.mark.parametrize("name", ["ca.pem", "ca.key"])
def test_a_damaged_file_of_the_ca_is_named(directory: Path, name: str) -> None:
    establish(directory, PASSPHRASE)
    (directory / name).write_text("damaged")
    with pytest.raises(CertificateError, match=rf"{name} must be an?"):
        load(directory, PASSPHRASE)


def test_a_ca_key_that_others_can_read_is_refused(directory: Path) -> None:
    establish(directory, PASSPHRASE)
    (directory / "ca.key").chmod(0o640)
    with pytest.raises(CertificateError, match=r"ca\.key can be read by others"):
        load(directory, PASSPHRASE)


def test_an_expired_ca_is_refused(directory: Path) -> None:
    establish(directory, PASSPHRASE)
    old = Entity(ca=True, ends=NOW)
    (directory / "ca.pem").write_text(old.pem)
    (directory / "ca.key").write_text(old.key_pem)
    with pytest.raises(CertificateError, match=f"expired on {NOW:%Y-%m-%d}"):
        ca_source(directory, NAME)


def test_the_last_half_year_of_the_ca_is_a_warning(directory: Path) -> None:
    establish(directory, PASSPHRASE)
    assert ca_source(directory, NAME).warnings == []
    old = Entity(ca=True, ends=NOW + 179 * DAY)
    (directory / "ca.pem").write_text(old.pem)
    (directory / "ca.key").write_text(key_pem(old.key, PASSPHRASE))
    [warning] = ca_source(directory, NAME).warnings
    assert warning.startswith(f"the CA in {directory} expires on {NOW + 179 * DAY:%Y-%m-%d}")


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CertificateError, match=r"file/ca cannot be used: Not a directory"):
        ca_source(tmp_path / "file" / "ca", NAME)
    with pytest.raises(CertificateError, match=r"file/ca cannot be used: Not a directory"):
        establish(tmp_path / "file" / "ca", PASSPHRASE)


def test_a_place_where_nothing_can_be_made_is_named_before_a_ca_is_needed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (Path("/proc/nope/ca"), tmp_path / "file", tmp_path / ("a" * 256)):
        with pytest.raises(CertificateError, match=rf"^directory {place} cannot be used: "):
            ca_source(place, NAME)


def test_trying_a_place_leaves_nothing_there(tmp_path: Path) -> None:
    ca_source(tmp_path, NAME)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    """It may be one that others need: only ca.key has to be the owner's alone."""
    tmp_path.chmod(0o755)
    establish(tmp_path, PASSPHRASE)
    assert oct(tmp_path.stat().st_mode & 0o777) == "0o755"


def test_planning_makes_no_ca(directory: Path) -> None:
    source = ca_source(directory, NAME)
    assert not source.accepts("", None)
    assert not directory.parent.exists()


@pytest.mark.parametrize("name", [NAME, "192.0.2.7", "2001:db8::7", "a" * 63 + ".example.com"])
def test_a_leaf_is_what_tls_clients_expect(directory: Path, name: str) -> None:
    """RFC 5280 §4.2: its one name, serverAuth, both key identifiers; 397 days at the most."""
    authority = establish(directory, PASSPHRASE)
    leaf = _leaf(authority.issue(name, NOW).chain)
    leaf.verify_directly_issued_by(authority.certificate)
    extensions = leaf.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    identifier = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    ca_identifier = authority.certificate.extensions.get_extension_for_class(
        x509.SubjectKeyIdentifier
    ).value
    assert [str(entry.value) for entry in names] == [name]
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert identifier.key_identifier == ca_identifier.digest
    assert leaf.not_valid_before_utc < NOW
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=397)


def test_pythons_own_tls_accepts_the_chain(directory: Path, tmp_path: Path) -> None:
    """A handshake in memory, with the strictest flags there are."""
    pair = establish(directory, PASSPHRASE).issue(NAME, NOW)
    (tmp_path / "pair.pem").write_text(pair.chain + pair.key.unmask())
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "pair.pem")
    asking = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    asking.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(to_client, to_server, server_hostname=NAME)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server):
        with pytest.raises(ssl.SSLWantReadError):
            side.do_handshake()
    client.do_handshake()
    server.do_handshake()
    assert client.version() == "TLSv1.3"


def test_each_leaf_has_its_own_key_and_the_directory_keeps_none(directory: Path) -> None:
    source = ca_source(directory, NAME)
    keys = {source.supply().key.unmask() for _ in range(2)}
    assert len(keys) == 2
    assert sorted(_contents(directory)) == ["ca.key", "ca.pem"]
    for key in keys:
        loaded = serialization.load_pem_private_key(key.encode(), password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        assert loaded.curve.name == "secp256r1"


def test_a_host_keeps_its_certificate_until_its_last_third(directory: Path) -> None:
    authority = establish(directory, PASSPHRASE)
    chain = authority.issue(NAME, NOW).chain
    leaf = _leaf(chain)
    due = leaf.not_valid_after_utc - (leaf.not_valid_after_utc - leaf.not_valid_before_utc) / 3
    assert not authority.renews(chain, NAME, due - DAY / 86_400)
    assert authority.renews(chain, NAME, due)


def test_a_host_with_anything_else_gets_a_new_one(directory: Path, tmp_path: Path) -> None:
    authority = establish(directory, PASSPHRASE)
    ours = authority.issue(NAME, NOW).chain
    others = establish(tmp_path / "other", PASSPHRASE).issue(NAME, NOW).chain
    for chain in ("", "damaged", others, ours + ours, Entity(NAME).pem):
        assert authority.renews(chain, NAME, NOW)
    assert authority.renews(ours, "192.0.2.7", NOW)
    assert authority.renews(ours, NAME, NOW - DAY), "a host's clock was wrong when it was made"
    assert not authority.renews(ours, NAME, NOW)


def test_a_host_without_this_ca_file_gets_a_new_one(directory: Path) -> None:
    source = ca_source(directory, NAME)
    pair = source.supply()
    assert source.accepts(pair.chain, pair.ca)
    assert not source.accepts(pair.chain, None)
    assert not source.accepts(pair.chain, Entity(ca=True).pem)


def test_a_leaf_never_outlives_its_ca(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorities, "_CA_LIFETIME", timedelta(days=30))
    authority = establish(directory, PASSPHRASE)
    leaf = _leaf(authority.issue(NAME, NOW).chain)
    assert leaf.not_valid_after_utc == authority.certificate.not_valid_after_utc


def _plain(directory: Path) -> bytes:
    """Leave the CA's key as versions before this one made it."""
    plain = key_pem(establish(directory, PASSPHRASE).key).encode()
    (directory / "ca.key").write_bytes(plain)
    return plain


def test_the_key_lies_there_encrypted_from_its_first_byte_on(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is written has gone through here, candidates included."""
    written: list[str] = []
    write = local_ca._write

    def noted(path: Path, text: str, *, mode: int) -> None:
        written.append(text)
        write(path, text, mode=mode)

    monkeypatch.setattr(local_ca, "_write", noted)
    establish(directory, PASSPHRASE)
    assert written[0].startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert not any("BEGIN PRIVATE KEY" in text or "EC PRIVATE" in text for text in written)
    opened = subprocess.run(
        ["openssl", "pkey", "-in", directory / "ca.key", "-passin", "stdin", "-noout"],
        input=PASSPHRASE.unmask(),
        text=True,
    )
    assert opened.returncode == 0


def test_a_wrong_passphrase_is_one_line_before_anything_is_made(directory: Path) -> None:
    establish(directory, HiddenValue("another passphrase, as long"))
    before = _contents(directory)
    with pytest.raises(CertificateError) as refused:
        ca_source(directory, NAME)
    assert str(refused.value) == f"{directory}/ca.key does not open with this passphrase"
    assert _contents(directory) == before


def test_a_passphrase_that_can_be_guessed_is_refused_and_not_shown(directory: Path) -> None:
    data = LocalCaData(
        mode="local_ca", directory=directory, passphrase=Source(command=("printf", "a" * 19))
    )
    with pytest.raises(CertificateError, match="must have 20 characters or more") as refused:
        LocalCaSource(data, NAME)
    assert "a" * 19 not in str(refused.value)


def test_a_passphrase_that_cannot_be_had_is_named(directory: Path) -> None:
    data = LocalCaData(
        mode="local_ca", directory=directory, passphrase=Source(env="NO_SUCH_PASSPHRASE")
    )
    with pytest.raises(SecretError, match=r"^passphrase: environment variable NO_SUCH_PASSPHRASE"):
        LocalCaSource(data, NAME)


def test_a_plain_key_of_an_older_version_serves_until_it_is_encrypted(directory: Path) -> None:
    plain = _plain(directory)
    source = ca_source(directory, NAME)
    assert source.key_is_plain()
    assert source.accepts(source.supply().chain, (directory / "ca.pem").read_text())
    assert (directory / "ca.key").read_bytes() == plain
    source.encrypt()
    assert not source.key_is_plain()
    encrypted = (directory / "ca.key").read_bytes()
    assert encrypted.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert oct((directory / "ca.key").stat().st_mode & 0o777) == "0o600"
    source.encrypt()
    assert (directory / "ca.key").read_bytes() == encrypted
    assert key_pem(establish(directory, PASSPHRASE).key).encode() == plain
    assert sorted(_contents(directory)) == ["ca.key", "ca.pem"]


def test_of_many_hosts_at_once_one_encrypts_the_key(directory: Path) -> None:
    _plain(directory)
    program = (
        "import sys, pathlib; from tests.unit.roles.certificate_factory import ca_source; "
        "ca_source(pathlib.Path(sys.argv[1]), 'a').encrypt()"
    )
    runs = [subprocess.Popen([sys.executable, "-c", program, directory]) for _ in range(4)]
    assert [run.wait() for run in runs] == [0] * 4
    assert not ca_source(directory, NAME).key_is_plain()
