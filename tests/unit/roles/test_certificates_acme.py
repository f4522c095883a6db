"""ACME: when certbot is asked for a certificate, with which words, and what is taken over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pyinfra.api import FactBase

from roles.certificates.acme import operations
from roles.certificates.acme.facts import CertbotCertificate, Issued
from roles.certificates.acme.operations import CA_FILE, TAKE_OVER, acme_certificate
from roles.certificates.acme.tasks import acme
from roles.certificates.facts import Installed, InstalledPair, sound_layout
from roles.certificates.pair import CertificateError
from roles.certificates.tasks import certificates
from roles.hostdata.certificates import AcmeData
from roles.platform import Platform
from tests.unit.roles.certificate_factory import DAY, NOW, Entity, local_ca
from tests.unit.roles.fakehost import FakeHost

NAME = "auth.example.com"
DATA = AcmeData(mode="acme", terms_agreed=True, email="ops@example.net")
SETTINGS = {
    "server": DATA.directory_url,
    "authenticator": "webroot",
    "renew_hook": TAKE_OVER,
}
OURS = Entity(NAME)
RSA = Entity(NAME, key=rsa.generate_private_key(65537, 2048))
LATE = Entity(NAME, begins=NOW - 69 * DAY, ends=NOW + 21 * DAY)


def _issued(chain: str = OURS.pem, **changes: str) -> Issued:
    return Issued({**SETTINGS, **changes}, chain, hashlib.sha256(chain.encode()).hexdigest())


def _installed(chain: str = OURS.pem) -> Installed:
    return Installed(sound_layout(with_ca=False), chain, None)


class Known:
    """A host that answers these facts."""

    def __init__(self, issued: Issued, installed: Installed) -> None:
        self._facts = {CertbotCertificate: issued, InstalledPair: installed}

    def get_fact(self, fact: type[FactBase[object]]) -> object:
        return self._facts[fact]

    def noop(self, _why: str) -> None:
        pass


def _commands(
    monkeypatch: pytest.MonkeyPatch, issued: Issued, installed: Installed, data: AcmeData = DATA
) -> list[str]:
    monkeypatch.setattr(operations, "host", Known(issued, installed))
    ran: Iterator[object] = acme_certificate._inner(data, NAME)
    return [command.get_raw_value() for command in ran]  # type: ignore[attr-defined]


def test_a_fresh_host_asks_certbot_and_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, take = _commands(monkeypatch, Issued(), Installed((), "", None))
    for words in (
        "certbot certonly --non-interactive --agree-tos --email ops@example.net",
        f"--server {DATA.directory_url} --key-type ecdsa",
        f"--domain {NAME} --webroot --webroot-path /var/www/portcullis-acme",
        f"--deploy-hook {TAKE_OVER}",
    ):
        assert words in ask
    assert "--force-renewal" not in ask
    assert "REQUESTS_CA_BUNDLE" not in ask
    assert take.endswith(TAKE_OVER)


def test_a_certificate_that_will_do_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _commands(monkeypatch, _issued(), _installed()) == []


@pytest.mark.parametrize(
    "issued",
    [
        pytest.param(_issued(server="https://acme.example.org/dir"), id="another-server"),
        pytest.param(_issued(RSA.pem), id="another-key"),
        pytest.param(_issued(renew_hook="/bin/true"), id="another-hook"),
        pytest.param(_issued(Entity("other.example.com").pem), id="another-name"),
        pytest.param(_issued(Entity(NAME, "other.example.com").pem), id="one-name-more"),
        pytest.param(_issued(LATE.pem), id="three-weeks-left"),
        pytest.param(_issued("damaged"), id="damaged"),
    ],
)
def test_one_that_will_not_do_is_issued_anew(
    monkeypatch: pytest.MonkeyPatch, issued: Issued
) -> None:
    ask, _ = _commands(monkeypatch, issued, _installed(issued.chain))
    assert "--force-renewal" in ask
    assert "--renew-with-new-domains" in ask


def test_a_short_certificate_is_not_asked_for_at_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six days in all: certbot's timer renews it, and a deploy only when that has failed."""

    def of(left: float) -> str:
        return Entity(NAME, begins=NOW - (6 - left) * DAY, ends=NOW + left * DAY).pem

    for left, commands in ((2.0, 0), (1.0, 2)):
        chain = of(left)
        assert len(_commands(monkeypatch, _issued(chain), _installed(chain))) == commands


@pytest.mark.parametrize(
    "installed",
    [
        pytest.param(_installed(Entity(NAME).pem), id="another-chain"),
        pytest.param(Installed((), OURS.pem, None), id="a-mode"),
    ],
)
def test_what_is_served_must_be_what_certbot_has(
    monkeypatch: pytest.MonkeyPatch, installed: Installed
) -> None:
    [take] = _commands(monkeypatch, _issued(), installed)
    assert take.endswith(TAKE_OVER)


def test_what_was_not_reloaded_is_taken_over_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was killed between the pair and its reload."""
    issued = Issued(SETTINGS, OURS.pem, applied="")
    assert len(_commands(monkeypatch, issued, _installed())) == 1


def test_a_private_acme_server_is_trusted_by_its_ca_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = DATA.model_copy(update={"ca_file": tmp_path, "email": None})
    ask, _ = _commands(monkeypatch, Issued(), Installed((), "", None), data)
    assert f"env REQUESTS_CA_BUNDLE={CA_FILE} certbot certonly" in ask
    assert "--register-unsafely-without-email" in ask


def test_the_fact_tells_settings_and_chain_apart() -> None:
    lines = [f"{key}={value}" for key, value in SETTINGS.items()]
    told = [*lines, "applied=abc", "==", *OURS.pem.splitlines()]
    assert CertbotCertificate().process(told) == Issued(SETTINGS, OURS.pem, "abc")
    assert CertbotCertificate().process([]) == Issued()


@pytest.mark.parametrize("platform", Platform)
def test_the_platforms_own_timer_renews(platform: Platform) -> None:
    fake = FakeHost(platform)
    fake.run(acme, DATA, f"https://{NAME}", platform)
    unit = "certbot-renew" if platform is Platform.EL_9 else "certbot"
    assert f"{unit}.timer" in fake.units
    drop_in = fake.files[f"/etc/systemd/system/{unit}.service.d/portcullis.conf"].content
    assert f"ExecStopPost={TAKE_OVER}\n" in drop_in
    assert "REQUESTS_CA_BUNDLE" not in drop_in
    assert fake.files[TAKE_OVER].mode == "0755"


def test_a_host_without_a_certificate_gets_one_of_no_name_to_start_with() -> None:
    run = FakeHost(Platform.DEBIAN_12).run(certificates, DATA, f"https://{NAME}")
    [_, upload] = [
        command for command in run.commands if "certificate to begin with" in command.operation
    ]
    assert "file server.key" in upload.stdin
    assert NAME not in upload.stdin


def test_a_ca_file_that_is_none_is_refused_by_its_key(tmp_path: Path) -> None:
    data = DATA.model_copy(update={"ca_file": tmp_path})
    with pytest.raises(CertificateError, match=r"certificates\.ca_file .* must hold certificates"):
        FakeHost(Platform.DEBIAN_12).run(acme, data, f"https://{NAME}", Platform.DEBIAN_12)


def test_another_mode_has_certbot_forget_before_anything_else(tmp_path: Path) -> None:
    """Its next renewal would replace what the inventory says."""
    fake = FakeHost(Platform.DEBIAN_12, responses={f"test -e {TAKE_OVER}": "yes"})
    run = fake.run(certificates, local_ca(tmp_path / "ca"), f"https://{NAME}")
    retire = "certificates | Have certbot renew nothing of ours [TLS-05]"
    assert run.changed[0] == retire
    [command] = [each.text for each in run.commands if each.operation == retire]
    assert "certbot delete --quiet --non-interactive --cert-name portcullis" in command
