"""The pair on a host: the operation's own shell is run, in a directory of the test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pyinfra.api import HiddenValue, StringCommand

from roles.certificates import facts, operations
from roles.certificates.facts import DIRECTORY, Installed, InstalledPair, sound_layout
from roles.certificates.local_ca import LocalCaSource, establish
from roles.certificates.pair import CertificateError, Pair, PairSource, key_pem
from roles.certificates.tasks import certificates
from roles.hostdata.certificates import CertificateFilesData
from roles.platform import Platform
from roles.secrets import Source
from tests.unit.roles.certificate_factory import DAY, NOW, PASSPHRASE, Entity, ca_source, local_ca
from tests.unit.roles.fakehost import FakeHost

NAME = "192.0.2.7"

# The test's account stands for oauth_user, so nobody has to become anybody.
_PROGRAMS = {
    "setpriv": 'shift 3; exec "$@"',
    "install": 'for last in "$@"; do :; done; mkdir -p "$last"; chmod 0750 "$last"',
}


class Directory:
    """A stand-in for one host's /etc/oauth2/certs, and for pyinfra's `host`."""

    def __init__(self, root: Path) -> None:
        self.certs = root / "etc" / "certs"
        self._programs = root / "programs"
        self._programs.mkdir()
        for name, script in _PROGRAMS.items():
            self.replace(name, script)

    def replace(self, name: str, script: str) -> None:
        """Put another program before the system's own."""
        (self._programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (self._programs / name).chmod(0o755)

    def sh(self, command: StringCommand) -> subprocess.CompletedProcess[str]:
        text = command.get_raw_value().replace(DIRECTORY, str(self.certs))
        return subprocess.run(
            ["sh", "-c", text],
            input=str(command.connector_arguments.get("_stdin", "")),
            env={**os.environ, "PATH": f"{self._programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )

    def get_fact(self, fact: type[InstalledPair]) -> Installed:
        found = fact().process(self.sh(fact().command()).stdout.splitlines())
        me = subprocess.check_output(["stat", "-c", "%U:%G", self.certs.parent], text=True).strip()
        layout = tuple(line.replace(me, "oauth_user:oauth_group") for line in found.layout)
        return Installed(layout, found.chain, found.ca)

    def noop(self, _description: str) -> None:
        pass

    def install(self, source: PairSource) -> list[subprocess.CompletedProcess[str]]:
        """What the operation ran, until something failed."""
        done = []
        for command in operations.installed_pair._inner(source):
            done.append(self.sh(command))
            if done[-1].returncode:
                break
        return done


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Directory:
    directory = Directory(tmp_path)
    (tmp_path / "etc").mkdir()
    monkeypatch.setattr(operations, "host", directory)
    return directory


@pytest.fixture
def source(tmp_path: Path) -> LocalCaSource:
    return ca_source(tmp_path / "ca", NAME)


class Unable:
    """A source that is found out when it has to supply."""

    def __init__(self, source: PairSource) -> None:
        self.supply = source.supply

    def accepts(self, _chain: str, _ca: str | None) -> bool:
        return False


class Supplied:
    """A source of one given pair."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair

    def accepts(self, chain: str, ca: str | None) -> bool:
        return (chain, ca) == (self._pair.chain, self._pair.ca)

    def supply(self) -> Pair:
        return self._pair


def _served(directory: Directory) -> tuple[str, str]:
    return (directory.certs / "server.pem").read_text(), (
        directory.certs / "server.key"
    ).read_text()


def test_a_fresh_host_gets_a_sound_pair(directory: Directory, source: LocalCaSource) -> None:
    assert [done.returncode for done in directory.install(source)] == [0, 0]
    assert directory.get_fact(InstalledPair).layout == sound_layout(with_ca=True)


def test_a_second_run_changes_nothing(directory: Directory, source: LocalCaSource) -> None:
    directory.install(source)
    assert directory.install(source) == []


@pytest.mark.usefixtures("directory")
def test_the_key_is_in_no_argument_list(source: LocalCaSource) -> None:
    commands = list(operations.installed_pair._inner(source))
    assert "PRIVATE KEY" in str(commands[1].connector_arguments["_stdin"])
    assert not any("PRIVATE KEY" in command.get_raw_value() for command in commands)


@pytest.mark.usefixtures("directory")
def test_a_plan_makes_neither_key_nor_ca(source: LocalCaSource, tmp_path: Path) -> None:
    """pyinfra's plan asks for the first command and no further."""
    next(iter(operations.installed_pair._inner(source)))
    assert not (tmp_path / "ca").exists()


def test_a_new_pair_replaces_the_old_one_and_its_key(
    directory: Directory, source: LocalCaSource, tmp_path: Path
) -> None:
    directory.install(source)
    first = _served(directory)
    directory.install(ca_source(tmp_path / "ca", "auth.example.com"))
    assert set(_served(directory)).isdisjoint(first)
    assert len(list(directory.certs.glob("pair-*"))) == 1


def _spoil(path: Path) -> None:
    path.write_text(Entity().key_pem)


@pytest.mark.parametrize(
    "drift",
    [
        pytest.param(lambda certs: certs.chmod(0o755), id="directory-mode"),
        pytest.param(lambda certs: (certs / "server.key").chmod(0o644), id="key-mode"),
        pytest.param(lambda certs: (certs / "server.pem").chmod(0o600), id="chain-mode"),
        pytest.param(lambda certs: (certs / "ca.pem").unlink(), id="ca-missing"),
        pytest.param(lambda certs: (certs / "active").unlink(), id="switch-missing"),
        pytest.param(lambda certs: _spoil((certs / "server.key").resolve()), id="another-key"),
        pytest.param(lambda certs: (certs / "pair-killed").mkdir(), id="left-by-a-killed-run"),
    ],
)
def test_whatever_drifted_is_mended(
    directory: Directory, source: LocalCaSource, drift: Callable[[Path], object]
) -> None:
    directory.install(source)
    drift(directory.certs)
    assert [done.returncode for done in directory.install(source)] == [0, 0]
    assert directory.get_fact(InstalledPair).layout == sound_layout(with_ca=True)


@pytest.mark.parametrize("name", ["server.pem", "server.key"])
@pytest.mark.parametrize("endless", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_no_file_of_the_account_keeps_a_deploy_waiting_or_is_endless(
    directory: Directory,
    source: LocalCaSource,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    endless: Callable[[Path], None],
) -> None:
    directory.install(source)
    file = (directory.certs / name).resolve()
    file.unlink()
    endless(file)
    monkeypatch.setattr(facts, "_COMMAND", facts._COMMAND.replace("timeout 20", "timeout 1"))
    assert len(directory.get_fact(InstalledPair).chain) < 1 << 20
    assert [done.returncode for done in directory.install(source)] == [0, 0]
    assert directory.get_fact(InstalledPair).layout == sound_layout(with_ca=True)


def test_plain_files_that_stood_there_give_way(directory: Directory, source: LocalCaSource) -> None:
    directory.certs.mkdir()
    (directory.certs / "server.pem").write_text("by hand")
    (directory.certs / "server.key").write_text("by hand")
    directory.install(source)
    assert directory.get_fact(InstalledPair).layout == sound_layout(with_ca=True)


def test_a_host_that_leaves_the_local_ca_loses_its_ca_file(
    directory: Directory, source: LocalCaSource
) -> None:
    directory.install(source)
    own = Entity(NAME)
    bought = Supplied(Pair(own.pem, HiddenValue(own.key_pem), None))
    directory.install(bought)
    assert directory.get_fact(InstalledPair).layout == sound_layout(with_ca=False)
    assert directory.install(bought) == []


def test_an_upload_that_was_cut_off_changes_nothing_that_is_served(
    directory: Directory, source: LocalCaSource
) -> None:
    directory.install(source)
    served = _served(directory)
    renewal = operations._upload(source.supply())
    commands = list(operations.installed_pair._inner(ca_source(source._directory, "other")))
    for length in range(0, len(renewal) - 40, 311):
        commands[1].connector_arguments["_stdin"] = renewal[:length] + "\n"
        assert directory.sh(commands[1]).returncode != 0
        assert _served(directory) == served


@pytest.mark.parametrize("program", ["chmod", "sync", "ln", "mv"])
def test_a_run_that_was_killed_is_finished_by_the_next(
    directory: Directory, source: LocalCaSource, program: str
) -> None:
    """At each step, whoever reads the pair reads one pair, and the next run leaves it sound."""
    directory.install(source)
    served = _served(directory)
    directory.replace(program, "kill -9 $PPID")
    assert directory.install(ca_source(source._directory, "other"))[-1].returncode != 0
    assert _served(directory) == served
    (directory._programs / program).unlink()
    directory.install(ca_source(source._directory, "other"))
    assert directory.get_fact(InstalledPair).layout == sound_layout(with_ca=True)
    assert set(_served(directory)).isdisjoint(served)


@pytest.mark.parametrize("program", ["chmod", "sync", "ln", "mv"])
def test_a_run_that_fails_takes_its_pair_away(
    directory: Directory, source: LocalCaSource, program: str
) -> None:
    directory.install(source)
    before = directory.get_fact(InstalledPair), _served(directory)
    directory.replace(program, "exit 1")
    assert directory.install(ca_source(source._directory, "other"))[-1].returncode != 0
    assert (directory.get_fact(InstalledPair), _served(directory)) == before


def test_a_readlink_that_fails_takes_no_pair_away(
    directory: Directory, source: LocalCaSource
) -> None:
    """What is not known to be an old one stays."""
    directory.install(source)
    directory.replace("readlink", "exit 1")
    directory.install(LocalCaSource(local_ca(source._directory), "other"))
    assert all(_served(directory))
    (directory._programs / "readlink").unlink()
    directory.install(LocalCaSource(local_ca(source._directory), "other"))
    assert directory.get_fact(InstalledPair).layout == sound_layout(with_ca=True)


def test_a_full_disk_is_one_line(directory: Directory, source: LocalCaSource) -> None:
    directory.install(source)
    before = directory.get_fact(InstalledPair), _served(directory)
    directory.replace(
        "mktemp", "mkdir pair-full && ln -s /dev/full pair-full/server.pem && echo pair-full"
    )
    failed = directory.install(ca_source(source._directory, "other"))[-1]
    assert failed.returncode != 0
    assert len(failed.stderr.splitlines()) == 1
    assert (directory.get_fact(InstalledPair), _served(directory)) == before


def test_a_ca_that_cannot_be_made_after_all_fails_in_its_own_words(
    directory: Directory, source: LocalCaSource, tmp_path: Path
) -> None:
    """What the plan found in order can be gone when its turn comes."""
    (tmp_path / "ca").touch()
    failed = directory.sh(list(operations.installed_pair._inner(Unable(source)))[-1])
    assert failed.returncode == 1
    assert failed.stderr == f"directory {tmp_path}/ca cannot be used: Not a directory\n"


def test_a_host_without_a_directory_has_no_pair(directory: Directory) -> None:
    assert directory.get_fact(InstalledPair) == Installed((), "", None)


def test_a_deploy_with_the_local_ca_predicts_and_makes_one_change(tmp_path: Path) -> None:
    fake = FakeHost(Platform.DEBIAN_12)
    data = local_ca(tmp_path / "ca")
    assert len(fake.run(certificates, data, f"https://{NAME}", dry=True).predicted) == 1
    assert not (tmp_path / "ca").exists()
    run = fake.run(certificates, data, f"https://{NAME}")
    assert run.changed == ["certificates | Install the certificate and its key [TLS-01] [TLS-02]"]
    assert (tmp_path / "ca" / "ca.pem").exists()


def test_a_plain_ca_key_is_told_of_and_encrypted_by_a_run_and_not_by_a_plan(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The key is one that a version before this one made."""
    plain = key_pem(establish(tmp_path / "ca", PASSPHRASE).key)
    (tmp_path / "ca" / "ca.key").write_text(plain)
    fake, data = FakeHost(Platform.DEBIAN_12), local_ca(tmp_path / "ca")
    encrypt = "certificates | Encrypt the CA's key on this machine [TLS-08]"
    assert encrypt in fake.run(certificates, data, f"https://{NAME}", dry=True).predicted
    assert "lies on this machine without a passphrase" in caplog.text
    assert (tmp_path / "ca" / "ca.key").read_text() == plain
    assert encrypt in fake.run(certificates, data, f"https://{NAME}").changed
    assert "ENCRYPTED" in (tmp_path / "ca" / "ca.key").read_text()
    assert encrypt not in fake.run(certificates, data, f"https://{NAME}").changed


def test_a_refusal_names_the_host_in_every_line(tmp_path: Path) -> None:
    wrong = Entity("other.example.com", ends=NOW)
    (tmp_path / "chain.pem").write_text(wrong.pem)
    (tmp_path / "key.pem").write_text(wrong.key_pem)
    data = CertificateFilesData(
        mode="files",
        certificate=tmp_path / "chain.pem",
        private_key=Source(file=tmp_path / "key.pem"),
    )
    with pytest.raises(CertificateError) as refused:
        FakeHost(Platform.DEBIAN_12, name="@fake/web").run(certificates, data, f"https://{NAME}")
    lines = str(refused.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("@fake/web: certificates: ") for line in lines)


def test_a_key_that_cannot_be_had_is_named_with_host_and_key(tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_text(Entity(NAME).pem)
    data = CertificateFilesData(
        mode="files", certificate=tmp_path / "chain.pem", private_key=Source(env="NO_SUCH_KEY")
    )
    with pytest.raises(CertificateError) as refused:
        FakeHost(Platform.DEBIAN_12, name="@fake/web").run(certificates, data, f"https://{NAME}")
    assert str(refused.value) == (
        "@fake/web: certificates: private_key: environment variable NO_SUCH_KEY is empty"
    )


def test_a_certificate_that_soon_expires_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soon = Entity(NAME, ends=NOW + 3 * DAY)
    (tmp_path / "chain.pem").write_text(soon.pem)
    (tmp_path / "key.pem").write_text(soon.key_pem)
    data = CertificateFilesData(
        mode="files",
        certificate=tmp_path / "chain.pem",
        private_key=Source(file=tmp_path / "key.pem"),
    )
    FakeHost(Platform.DEBIAN_12).run(certificates, data, f"https://{NAME}")
    assert "@fake/host: certificates: the certificate expires in 2 days" in caplog.text
