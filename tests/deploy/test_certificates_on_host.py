"""A certificate of the local CA on a host: renewed in time, under load, and audited before."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from roles.certificates.authority import Authority
from roles.certificates.local_ca import load
from roles.certificates.pair import key_pem
from roles.secrets import Source
from tests.deploy import running
from tests.deploy.asking import requests_running
from tests.deploy.auditing import audit, not_met
from tests.lab.fixtures import RunningLab

INSTALL = "certificates | Install the certificate and its key [TLS-01] [TLS-02]"

_REPLACE = """\
set -eu
cd /etc/oauth2/certs/active
while IFS= read -r line; do
  case $line in "file "*) exec 3>"${line#file }" ;; *) printf '%s\\n' "$line" >&3 ;; esac
done
systemctl reload nginx oauth-server
"""

_METRICS = """\
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:9464/metrics").read().decode())
"""


def authority(lab: RunningLab) -> Authority:
    passphrase = Source(file=lab.directory / "ca-passphrase").read()
    found = load(lab.directory / "ca", passphrase)
    assert found is not None
    return found


def give(lab: RunningLab, files: dict[str, str]) -> None:
    """Put these into the present pair, as nothing of ours would, and have them served."""
    upload = "".join(f"file {name}\n{text}" for name, text in files.items())
    done = subprocess.run(
        [
            *("ssh", "-F", str(lab.ssh_config), lab.hosts[0].name),
            f"sudo sh -c {running.quoted(_REPLACE)}",
        ],
        input=upload,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def served(address: str) -> set[str]:
    """What both ports show, in PEM."""
    return {ssl.get_server_certificate((address, port)) for port in (443, 8443)}


@pytest.fixture
def described(deployed: RunningLab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(deployed.lab_json.read_text())
    return found


@pytest.fixture
def aged(deployed: RunningLab) -> Iterator[Any]:
    """Give the host a certificate that its CA made some days ago; in the end it has a new one."""

    def age(days: int) -> None:
        now = datetime.now(timezone.utc) - timedelta(days=days)
        pair = authority(deployed).issue(deployed.hosts[0].address, now)
        give(deployed, {"server.pem": pair.chain, "server.key": pair.key.unmask()})

    yield age
    running.deploy(deployed)


def test_a_certificate_in_its_last_third_is_renewed_by_a_deploy_that_nobody_notices(
    deployed: RunningLab, described: dict[str, Any], aged: Any
) -> None:
    aged(300)
    address = deployed.hosts[0].address
    before = served(address)
    assert len(before) == 1
    assert INSTALL in running.pending(deployed)
    assert served(address) == before
    with requests_running(described) as answers:
        running.deploy(deployed)
        renewed_after = len(answers)
    assert set(answers) == {200}
    assert renewed_after > 20
    after = served(address)
    assert len(after) == 1
    assert after.isdisjoint(before)
    assert running.pending(deployed) == []


def test_one_that_expires_within_three_weeks_is_a_finding_and_nothing_else_is(
    deployed: RunningLab, aged: Any
) -> None:
    aged(380)
    assert not_met(audit(deployed, "tests/audit", "--sudo")) == ["TLS-05"]


def test_a_metric_says_when_it_expires(deployed: RunningLab, aged: Any) -> None:
    aged(300)
    metrics = deployed.ssh(f"python3 -c {running.quoted(_METRICS)}").stdout
    [line] = [
        line
        for line in metrics.splitlines()
        if line.startswith("oauth_server_certificate_expires_timestamp_seconds ")
    ]
    left = float(line.split()[1]) - datetime.now(timezone.utc).timestamp()
    assert 95 < left / 86400 < 98


def test_no_key_of_the_ca_is_plain_on_the_control_machine_or_on_the_host(
    deployed: RunningLab,
) -> None:
    key = (deployed.directory / "ca" / "ca.key").read_text()
    assert key.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    plain = [
        path
        for path in Path(deployed.directory / "ca").iterdir()
        if "BEGIN PRIVATE KEY" in path.read_text() or "BEGIN EC PRIVATE" in path.read_text()
    ]
    assert plain == []
    listed = deployed.ssh("sudo find /etc/oauth2 -name 'ca.key'").stdout
    assert listed == ""


def test_a_plain_key_of_an_older_version_is_encrypted_by_the_next_deploy(
    deployed: RunningLab,
) -> None:
    path = deployed.directory / "ca" / "ca.key"
    path.write_text(key_pem(authority(deployed).key))
    encrypt = "certificates | Encrypt the CA's key on this machine [TLS-08]"
    assert running.pending(deployed) == [encrypt]
    done = running.pyinfra(deployed, "-y")
    assert done.returncode == 0, done.stderr
    assert "lies on this machine without a passphrase" in done.stdout + done.stderr
    assert path.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert running.pending(deployed) == []
