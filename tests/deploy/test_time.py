"""Clocks of lab hosts follow the lab's time server, and a source that proves who it is."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from tests.deploy import running
from tests.deploy.auditing import audit, not_met
from tests.lab.fixtures import MakeLab, RunningLab

_SYNCHRONISED = "for _ in $(seq 60); do sudo chronyc -c tracking | grep -q 'Normal$' && exit 0; \
sleep 0.5; done; exit 1"
_NTS_PORT = 4460


@pytest.mark.parametrize("kind", ["el9-layout", "ubuntu-22.04-layout"])
def test_the_clock_follows_the_labs_time_server(make_lab: MakeLab, kind: str) -> None:
    """And the server tells it; on Debian the audit of every deployed host sees both."""
    lab = make_lab(kind)
    running.deploy(lab)
    assert lab.ssh(_SYNCHRONISED).returncode == 0
    told = lab.ssh(
        "for _ in $(seq 30); do grep -q 'Normal$' /run/oauth-clock/tracking && exit 0; "
        "sleep 0.5; done; exit 1"
    )
    assert told.returncode == 0, lab.ssh("systemctl status oauth-clock").stdout
    report = audit(lab, "tests/audit/test_time.py", "--sudo")
    assert not_met(report) == [], report


def test_a_source_that_proves_who_it_is_is_the_one_that_is_followed(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    """NTS for real: chronyd on a second host, with a certificate of a CA of its own."""
    lab = make_lab("debian-12", "debian-12")
    client, server = lab.hosts
    _serve_nts(lab, tmp_path, server.address)
    inventory = running.changed_inventory(
        tmp_path,
        f'{{"chrony": {{"servers": ["{server.address}", "{server.address.rpartition(".")[0]}.1"],'
        f'"nts": ["{server.address}"], "nts_ca": "/etc/nts-ca.pem", "steer_clock": False}}}}',
    )
    result = running.pyinfra(lab, "-y", f"--limit={client.name}", inventory=inventory)
    assert result.returncode == 0, result.stdout + result.stderr
    assert lab.ssh(_SYNCHRONISED).returncode == 0, lab.ssh("sudo chronyc -n sources").stdout
    followed = lab.ssh("sudo chronyc -n -c sources").stdout.splitlines()
    assert [line.split(",")[2] for line in followed if line.split(",")[1] == "*"] == [
        server.address
    ], followed
    (proof,) = [
        line.split(",")
        for line in lab.ssh("sudo chronyc -n -c authdata").stdout.splitlines()
        if line.startswith(server.address)
    ]
    assert proof[1] == "NTS"
    assert int(proof[8]) > 0, "cookies to ask with"


def _serve_nts(lab: RunningLab, directory: Path, address: str) -> None:
    """Make the lab's second host a time server by NTS, whose CA the first one has."""
    certificate, key = _self_signed(directory, address)
    configured = dedent(f"""\
        local stratum 2
        allow
        ntsserverkey /etc/chrony/nts.key
        ntsservercert /etc/chrony/nts.pem
        ntsdumpdir /var/lib/chrony
        ntsport {_NTS_PORT}
        """)
    _put(lab, 0, "/etc/nts-ca.pem", certificate)
    done = lab.ssh(
        "sudo sh -ec 'apt-get -q update; apt-get -qy install --no-install-recommends chrony; "
        "mkdir -p /etc/systemd/system/chrony.service.d; "
        'printf "[Unit]\\nConditionCapability=\\n" > '
        "/etc/systemd/system/chrony.service.d/lab.conf; "
        'echo "DAEMON_OPTS=\\"-F 1 -x\\"" > /etc/default/chrony\'',
        1,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    _put(lab, 1, "/etc/chrony/nts.pem", certificate)
    _put(lab, 1, "/etc/chrony/nts.key", key)
    _put(lab, 1, "/etc/chrony/chrony.conf", configured)
    started = lab.ssh(
        "sudo sh -ec 'chown _chrony /etc/chrony/nts.key; systemctl daemon-reload; "
        "systemctl restart chrony; sleep 1; systemctl is-active chrony'",
        1,
    )
    assert started.returncode == 0, started.stdout + started.stderr


def _put(lab: RunningLab, host: int, path: str, text: str) -> None:
    done = lab.ssh(f"printf %s {running.quoted(text)} | sudo tee {path} > /dev/null", host)
    assert done.returncode == 0, done.stderr


def _self_signed(directory: Path, address: str) -> tuple[str, str]:
    files = directory / "nts.pem", directory / "nts.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", str(timedelta(days=7).days), "-subj", "/CN=the lab's time",
         "-addext", f"subjectAltName=IP:{address}", "-keyout", files[1], "-out", files[0]],
        check=True, capture_output=True,
    )  # fmt: skip
    certificate, key = (file.read_text() for file in files)
    return certificate, key
