"""A certificate by ACME, with certbot and an ACME server that are the real ones."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.deploy import acme_server, running
from tests.deploy.acme_server import AcmeServer
from tests.deploy.asking import requests_running
from tests.deploy.auditing import audit, not_met
from tests.lab.fixtures import MakeLab, RunningLab
from tests.unit.roles.certificate_factory import DAY, NOW, Entity

NAME = "auth.lab.test"
LINEAGE = "/etc/letsencrypt/live/portcullis"
TAKE_OVER = "/usr/local/sbin/portcullis-certificate"
RENEW = (
    "env REQUESTS_CA_BUNDLE=/etc/oauth2/acme-ca.pem "
    "certbot -q renew --force-renewal --no-random-sleep-on-renew"
)


@dataclass(frozen=True)
class Site:
    """A lab host whose certificate is the ACME server's."""

    lab: RunningLab
    acme: AcmeServer
    inventory: str
    first: set[str]
    """What both ports showed after the first deploy."""

    def root(self, script: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        host = self.lab.hosts[0].name
        return subprocess.run(
            ["ssh", "-F", str(self.lab.ssh_config), host, f"sudo sh -c {running.quoted(script)}"],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def served(self) -> set[str]:
        """What both ports show to who trusts the ACME server's root alone, in PEM."""
        trust = ssl.create_default_context(cafile=str(self.acme.root))
        shown = set()
        for port in (443, 8443):
            plain = socket.create_connection((self.lab.hosts[0].address, port), 10)
            with plain, trust.wrap_socket(plain, server_hostname=NAME) as secure:
                der = secure.getpeercert(binary_form=True)
                assert der is not None
                shown.add(ssl.DER_cert_to_PEM_cert(der))
        return shown

    def asking(self) -> Any:
        described = json.loads(self.lab.lab_json.read_text())
        return requests_running(described, name=NAME, ca_file=str(self.acme.root))


@pytest.fixture(scope="module")
def site(make_lab: MakeLab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return _made(make_lab(), tmp_path_factory.mktemp("acme"))


def _made(lab: RunningLab, directory: Path) -> Site:
    acme = acme_server.started(lab, NAME, directory)
    certificates = {
        "mode": "acme",
        "terms_agreed": True,
        "email": "ops@example.net",
        "directory_url": acme.url,
        "ca_file": str(acme.trusted_by),
    }
    changes = {"oauth_server": {"issuer": f"https://{NAME}"}, "certificates": certificates}
    inventory = running.changed_inventory(directory, repr(changes))
    done = running.pyinfra(lab, "-y", inventory=inventory)
    assert done.returncode == 0, done.stdout + done.stderr
    made = Site(lab, acme, inventory, set())
    return Site(lab, acme, inventory, made.served())


def test_the_first_deploy_ends_with_a_certificate_that_both_ports_serve(site: Site) -> None:
    [pem] = site.first
    leaf = x509.load_pem_x509_certificate(pem.encode())
    assert "Pebble" in leaf.issuer.rfc4514_string()
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    timer = site.root("systemctl is-enabled certbot.timer; systemctl is-active certbot.timer")
    assert timer.stdout.split() == ["enabled", "active"]


def test_a_second_run_changes_nothing(site: Site) -> None:
    assert running.pending(site.lab, site.inventory) == []
    before = running.state(site.lab)
    done = running.pyinfra(site.lab, "-y", inventory=site.inventory)
    assert done.returncode == 0
    assert running.state(site.lab) == before


def test_the_host_meets_every_control(site: Site) -> None:
    report = audit(site.lab, "tests/audit", "--sudo", ca_file=site.acme.root)
    assert not_met(report) == [], report


def test_ubuntus_firewall_lets_the_acme_server_in(make_lab: MakeLab, tmp_path: Path) -> None:
    """Its ufw is on, and lets in SSH alone until the deploy has spoken to it."""
    site = _made(make_lab("ubuntu-22.04-layout"), tmp_path)
    assert len(site.first) == 1
    rules = site.root("ufw status").stdout
    assert {line.split()[0] for line in rules.splitlines() if "Portcullis" in line} == {
        "80/tcp",
        "443/tcp",
        "8443/tcp",
    }
    # From outside: who is let in is hung up on, where a firewall would let one wait.
    assert _plain(site, f"GET / HTTP/1.1\r\nHost: {NAME}\r\n\r\n") == b""
    assert running.pending(site.lab, site.inventory) == []


def _plain(site: Site, request: str) -> bytes:
    with socket.create_connection((site.lab.hosts[0].address, 80), 10) as connection:
        connection.sendall(request.encode())
        answer = b""
        try:
            while received := connection.recv(65536):
                answer += received
        except ConnectionResetError:
            pass
        return answer


@pytest.mark.parametrize("host", [NAME, "other.example.com", "", "127.0.0.1"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/token",
        "/authorize",
        "/.well-known/oauth-authorization-server",
        "/.well-known/acme-challenge/",
        "/.well-known/acme-challenge/nobody-asked-for-this-one",
        "/.well-known/acme-challenge/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/.well-known/acme-challenge/planted-token-0001/",
    ],
)
def test_port_80_answers_nobody_else(site: Site, path: str, host: str) -> None:
    """No page, no redirect, no word of what runs here: not one byte."""
    assert _plain(site, f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n") == b""


@pytest.fixture
def token(site: Site) -> Iterator[str]:
    """A challenge that lies there as certbot would put it."""
    place = "/var/www/portcullis-acme/.well-known/acme-challenge"
    site.root(f"mkdir -p {place} && echo proof > {place}/planted-token-0001")
    site.root(f"ln -s /etc/hostname {place}/planted-token-0002")
    yield "/.well-known/acme-challenge/planted-token-0001"
    site.root("rm -r /var/www/portcullis-acme/.well-known")


def test_port_80_answers_a_challenge_to_who_asks_for_the_name(site: Site, token: str) -> None:
    request = "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"
    answer = _plain(site, request.format("GET", token, NAME))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == b"proof\n"
    assert b"nginx/" not in head
    assert b"Strict-Transport-Security" not in head
    assert _plain(site, request.format("GET", token, "other.example.com")) == b""
    assert _plain(site, request.format("POST", token, NAME)) == b""
    assert _plain(site, request.format("GET", token[:-1] + "2", NAME)) == b"", "a link is followed"


def test_a_renewal_is_taken_over_while_requests_run_and_none_of_them_fails(site: Site) -> None:
    before = site.served()
    with site.asking() as answers:
        renewed = site.root(RENEW)
        assert renewed.returncode == 0, renewed.stderr
        after = site.served()
        asked = len(answers)
    assert len(after) == 1
    assert after.isdisjoint(before)
    assert asked > 20
    assert set(answers) == {200}
    assert running.pending(site.lab, site.inventory) == [], "a renewal is no surprise to a deploy"


MIDDLE = Entity(ca=True, common_name="middle")
OTHER = Entity(NAME, issuer=MIDDLE)


def _pem(*chain: Entity) -> str:
    return "".join(each.pem for each in chain)


@pytest.mark.parametrize(
    ("chain", "key", "reason"),
    [
        pytest.param(_pem(OTHER, MIDDLE), MIDDLE, "the key is not its own", id="another-key"),
        pytest.param(
            _pem(other := Entity("auth.lab.example", issuer=MIDDLE), MIDDLE),
            other,
            "hostname mismatch",
            id="another-name",
        ),
        pytest.param(
            _pem(unnamed := Entity(issuer=MIDDLE, common_name=NAME), MIDDLE),
            unnamed,
            "it has no subject alternative name",
            id="common-name-alone",
        ),
        pytest.param(
            _pem(old := Entity(NAME, issuer=MIDDLE, begins=NOW - 9 * DAY, ends=NOW - DAY), MIDDLE),
            old,
            "certificate has expired",
            id="expired",
        ),
        pytest.param(
            _pem(early := Entity(NAME, issuer=MIDDLE, begins=NOW + timedelta(days=1)), MIDDLE),
            early,
            "certificate is not yet valid",
            id="not-yet-valid",
        ),
        pytest.param(
            _pem(OTHER, Entity(ca=True, common_name="middle")),
            OTHER,
            "certificate signature failure",
            id="impostor-of-its-ca",
        ),
        pytest.param(
            _pem(OTHER, Entity(ca=True, common_name="unrelated")),
            OTHER,
            "unable to get local issuer certificate",
            id="unrelated-chain",
        ),
        pytest.param("nothing", OTHER, "it cannot be read", id="no-certificate"),
    ],
)
def test_what_does_not_match_is_refused_and_the_one_that_works_stays(
    site: Site, chain: str, key: Entity, reason: str, lineage: Callable[[str, str], None]
) -> None:
    before = site.served()
    lineage(chain, key.key_pem)
    refused = site.root(TAKE_OVER)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"the certificate in {LINEAGE} is refused, and the one before stays: {reason}\n"
    )
    assert site.served() == before
    assert site.root("ls -d /run/portcullis-certificate*").stdout.split() == [
        "/run/portcullis-certificate.lock"
    ]
    # The timer's unit says so, too, until somebody has mended it.
    assert site.root("systemctl start certbot.service").returncode == 1
    assert site.served() == before


# bash ends before the n-th command of the program, its functions and its subshells.
_KILLED = f"""
left=$1
set -T
trap '[ $left -gt 0 ] || kill -9 $BASHPID $$; left=$((left - 1))' DEBUG
. {TAKE_OVER}
"""
_SWEEP = f"""
cat > /run/killed.sh
for n in $(seq 200); do
  rm -f /var/lib/portcullis/applied/acme
  if bash /run/killed.sh $n > /dev/null 2>&1; then echo "ended at $n"; break; fi
  cd /etc/oauth2/certs/
  [ "$(openssl pkey -in server.key -pubout)" = "$(openssl x509 -in server.pem -noout -pubkey)" ] ||
    echo "no pair after $n"
  openssl x509 -in server.pem -noout -checkhost {NAME} | grep -q 'does match' ||
    echo "worse after $n"
done
rm /run/killed.sh
{TAKE_OVER} > /dev/null || echo failed
ls -d /run/portcullis-certificate*
ls -d /etc/oauth2/certs/pair-* | wc -l
"""


def test_a_take_over_that_is_killed_at_any_command_is_finished_by_the_next(site: Site) -> None:
    """Whatever the moment, there is one pair, and it is the old or the new one."""
    renewed = site.root("rm -f /var/lib/portcullis/applied/acme")
    assert renewed.returncode == 0
    swept = site.root(_SWEEP, _KILLED)
    first, *rest = swept.stdout.splitlines()
    assert first.startswith("ended at "), swept.stdout + swept.stderr
    assert int(first.split()[2]) > 40, "every command was a moment"
    assert rest == ["/run/portcullis-certificate.lock", "1"]
    assert running.pending(site.lab, site.inventory) == []


@pytest.fixture
def lineage(site: Site) -> Iterator[Callable[[str, str], None]]:
    """Have certbot's files be others for a while."""
    site.root(f"cp -a {LINEAGE} /root/kept-lineage")

    def replace(chain: str, key: str) -> None:
        for name, text in (("fullchain.pem", chain), ("privkey.pem", key)):
            done = site.root(f"rm {LINEAGE}/{name} && cat > {LINEAGE}/{name}", text)
            assert done.returncode == 0, done.stderr

    yield replace
    site.root(f"rm -r {LINEAGE} && mv /root/kept-lineage {LINEAGE}")
    mended = site.root("systemctl reset-failed certbot.service; systemctl start certbot.service")
    assert mended.returncode == 0, mended.stderr


def test_what_could_not_be_taken_over_is_tried_again_by_the_timer(site: Site) -> None:
    """Renewed at a moment when the server could not be reloaded."""
    before = site.served()
    clients = "/etc/oauth2/clients.json"
    site.root(f"cp -a {clients} /root/kept-clients; echo nonsense > {clients}")
    try:
        site.root(RENEW)
    finally:
        site.root(f"mv /root/kept-clients {clients}")
    assert site.root("systemctl start certbot.service").returncode == 0
    after = site.served()
    assert len(after) == 1
    assert after.isdisjoint(before)


def test_a_damaged_pair_is_mended_from_what_certbot_has(site: Site) -> None:
    before = site.served()
    site.root("chmod 0644 /etc/oauth2/certs/server.key; rm /etc/oauth2/certs/server.pem")
    take = "acme | Have a certificate by ACME, and take it over [TLS-02] [TLS-06]"
    assert take in running.pending(site.lab, site.inventory)
    done = running.pyinfra(site.lab, "-y", inventory=site.inventory)
    assert done.returncode == 0, done.stderr
    assert site.served() == before
    assert running.pending(site.lab, site.inventory) == []


def test_another_kind_of_key_is_a_new_certificate(site: Site, tmp_path: Path) -> None:
    text = Path(site.inventory).read_text()
    changed = tmp_path / "inventory.py"
    changed.write_text(
        text.replace("'terms_agreed': True", "'terms_agreed': True, 'key_type': 'rsa'")
    )
    done = running.pyinfra(site.lab, "-y", inventory=str(changed))
    assert done.returncode == 0, done.stderr
    [pem] = site.served()
    assert "RSA" in type(x509.load_pem_x509_certificate(pem.encode()).public_key()).__name__
    assert running.pending(site.lab, str(changed)) == []


def test_without_the_acme_server_the_host_keeps_what_it_has(site: Site) -> None:
    """The deploy says what certbot met, in its words, and the server goes on."""
    before = site.served()
    site.root("systemctl stop pebble")
    broken = Path(site.inventory).with_name("broken.py")
    broken.write_text(Path(site.inventory).read_text().replace("/dir'", "/gone'"))
    done = running.pyinfra(site.lab, "-y", inventory=str(broken))
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "Connection refused" in done.stdout + done.stderr
    assert site.served() == before


def test_an_inventory_that_goes_back_has_certbot_forget(site: Site, tmp_path: Path) -> None:
    """Last: its next renewal would replace what the inventory says."""
    changes = f"{{'oauth_server': {{'issuer': 'https://{NAME}'}}}}"
    inventory = running.changed_inventory(tmp_path, changes)
    done = running.pyinfra(site.lab, "-y", inventory=inventory)
    assert done.returncode == 0, done.stderr
    left = site.root(
        f"ls {TAKE_OVER} {LINEAGE} /etc/letsencrypt/renewal/portcullis.conf "
        "/etc/systemd/system/certbot.service.d/portcullis.conf; ss -Hltn 'sport = :80'"
    )
    assert left.stdout == ""
    assert running.pending(site.lab, inventory) == []
    assert not_met(audit(site.lab, "tests/audit", "--sudo")) == []
