"""A host whose signing keys are on a token: SoftHSM, as Debian has it."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy import running
from tests.lab.fixtures import MakeLab, RunningLab

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
TOKEN = "Signing keys"
PIN = "8315-pin-of-the-lab"
KEYS = "/etc/oauth2/keys"
TOKENS = "/var/lib/softhsm/tokens"
CHANGES = (
    '{"oauth_server": {**data["oauth_server"], "jwks_cache_max": 0, "pkcs11": {'
    f'"module": "{MODULE}", "token": "{TOKEN}", "pin": {{"env": "TOKEN_PIN"}}, '
    f'"groups": ["softhsm"], "writable": ["{TOKENS}"]}}}}}}'
)
_SETUP = f"""\
apt-get update -q && apt-get install -q -y --no-install-recommends softhsm2 opensc || exit 1
groupadd -f softhsm
install -d -m 2770 -g softhsm {TOKENS}
chgrp softhsm /etc/softhsm /etc/softhsm/softhsm2.conf /var/lib/softhsm
chmod 755 /etc/softhsm /var/lib/softhsm; chmod 644 /etc/softhsm/softhsm2.conf
umask 007
softhsm2-util --init-token --free --label '{TOKEN}' --pin {PIN} --so-pin {PIN}
chgrp -R softhsm {TOKENS}; chmod -R g+rwX {TOKENS}
"""


@pytest.fixture(scope="module")
def host(make_lab: MakeLab, tmp_path_factory: pytest.TempPathFactory) -> RunningLab:
    """Deployed with its keys on the token from the first day on."""
    lab = make_lab()
    made = lab.ssh(f"sudo sh -c {running.quoted(_SETUP)}")
    assert made.returncode == 0, made.stdout + made.stderr
    directory = tmp_path_factory.mktemp("inventory")
    deploy(lab, directory)
    return lab


def deploy(lab: RunningLab, directory: Path) -> str:
    inventory = running.changed_inventory(directory, CHANGES)
    done = running.pyinfra(lab, "-y", "--diff", "-vvv", inventory=inventory, TOKEN_PIN=PIN)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def described(host: RunningLab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.lab_json.read_text())
    return found


@pytest.fixture
def http(described: dict[str, Any]) -> Iterator[httpx.Client]:
    trust = ssl.create_default_context(cafile=described["ca_file"])
    with httpx.Client(base_url=described["issuer"], verify=trust, timeout=20) as client:
        yield client


def token(http: httpx.Client, described: dict[str, Any]) -> httpx.Response:
    client = described["confidential_client"]
    return http.post(
        "/token", data={"grant_type": "client_credentials"},
        auth=(client["client_id"], client["client_secret"]),
    )  # fmt: skip


def active(encoded: str, http: httpx.Client, described: dict[str, Any]) -> bool:
    """By the server's own word, which has verified it."""
    client = described["confidential_client"]
    answer = http.post(
        "/introspect", data={"token": encoded}, auth=(client["client_id"], client["client_secret"])
    )
    return bool(answer.json()["active"])


def kid(encoded: str) -> str:
    header = json.loads(base64.urlsafe_b64decode(encoded.split(".")[0] + "=="))
    return str(header["kid"])


def wait_for(claim: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.2)


def test_tokens_are_signed_by_a_key_that_is_in_no_file(
    host: RunningLab, http: httpx.Client, described: dict[str, Any]
) -> None:
    encoded = token(http, described).json()["access_token"]
    assert active(encoded, http, described)
    files = host.ssh(f"sudo find {KEYS} -type f -printf '%f\\n' | sort -u").stdout.split()
    assert files == ["pkcs11.uri", "public.pem", "times.json"]


def test_no_key_can_be_taken_out_of_the_token(host: RunningLab) -> None:
    listed = host.ssh(
        f"sudo pkcs11-tool --module {MODULE} --token-label '{TOKEN}' --login --pin {PIN} "
        "--list-objects --type privkey"
    ).stdout
    access = [line for line in listed.splitlines() if "Access:" in line]
    assert len(access) == 2
    assert all("sensitive" in line and "never extractable" in line for line in access)


def test_the_pin_is_roots_file_and_in_nothing_else(host: RunningLab, tmp_path: Path) -> None:
    state = host.ssh("sudo stat -c '%U:%G %a' /etc/oauth2/pkcs11.pin").stdout.strip()
    assert state == "root:root 600"
    assert PIN not in deploy(host, tmp_path)
    seen = host.ssh(
        f'sudo sh -c "mark=\'{PIN[:-1]}[{PIN[-1]}]\'; grep -lsa -e \\"\\$mark\\" '
        "/proc/[0-9]*/cmdline /proc/[0-9]*/environ /var/log/oauth_server.log "
        "/etc/oauth2/server.yaml /etc/systemd/system/*; journalctl -q --no-pager "
        '| grep -c -e \\"\\$mark\\""'
    ).stdout.split()
    assert [line for line in seen if not line.isdigit()] == []


def test_a_second_deploy_changes_nothing(host: RunningLab, tmp_path: Path) -> None:
    inventory = running.changed_inventory(tmp_path, CHANGES)
    assert running.pending(host, inventory, TOKEN_PIN=PIN) == []


def test_a_token_that_is_gone_is_not_ready_and_back_by_itself(
    host: RunningLab, http: httpx.Client, described: dict[str, Any]
) -> None:
    process = host.ssh("systemctl show -P MainPID -P NRestarts oauth-server.service").stdout
    host.ssh(f"sudo mv {TOKENS} {TOKENS}.away")
    try:
        wait_for(lambda: token(http, described).status_code == 503)
        refused = token(http, described)
        assert refused.headers["Retry-After"]
        assert refused.json()["error"] == "temporarily_unavailable"
        wait_for(lambda: http.get("/health/ready").status_code == 503)
    finally:
        host.ssh(f"sudo mv {TOKENS}.away {TOKENS}")
    wait_for(lambda: token(http, described).status_code == 200)
    wait_for(lambda: http.get("/health/ready").status_code == 200)
    after = host.ssh("systemctl show -P MainPID -P NRestarts oauth-server.service").stdout
    assert after == process
    journal = host.ssh("sudo journalctl -q -u oauth-server -o cat").stdout
    assert "asked again every few seconds" in journal
    assert "signs again" in journal


def test_the_timers_unit_rotates_and_what_was_signed_before_verifies(
    host: RunningLab, http: httpx.Client, described: dict[str, Any]
) -> None:
    before = token(http, described).json()["access_token"]
    # As root has it at hand, and then once more in the unit, with its sandbox and its credential.
    rotated = host.ssh("sudo /usr/local/bin/oauth-server keys rotate --wait 30")
    assert rotated.returncode == 0, rotated.stderr
    wait_for(lambda: kid(token(http, described).json()["access_token"]) != kid(before))
    assert active(before, http, described)
    assert active(token(http, described).json()["access_token"], http, described)
    verified = host.ssh("sudo /usr/local/bin/oauth-server keys verify")
    assert "WRONG" not in verified.stdout
    assert "the token holds its private half" in verified.stdout
    unit = host.ssh("sudo systemctl start oauth-key-rotate.service")
    assert unit.returncode == 0, host.ssh("sudo journalctl -q -u oauth-key-rotate -o cat").stdout


def test_the_unit_makes_keys_on_the_token(host: RunningLab) -> None:
    """A pending key that was lost is made anew, in the timer's sandbox."""
    pending = host.ssh(
        f"sudo sh -c 'cd {KEYS}/ring && for key in *; do "
        'test -L "$key" || grep -q activated "$key/times.json" || echo "$key"; done\''
    ).stdout.split()
    assert len(pending) == 1
    host.ssh(f"sudo rm -r {KEYS}/ring/{pending[0]}")
    unit = host.ssh("sudo systemctl start oauth-key-rotate.service")
    said = host.ssh("sudo journalctl -q -u oauth-key-rotate -o cat").stdout
    assert unit.returncode == 0, said
    made = host.ssh(f"sudo find {KEYS}/ring -name pkcs11.uri").stdout.split()
    assert len(made) >= 2, said


def test_the_audit_takes_a_ring_on_a_token(host: RunningLab) -> None:
    """After a rotation: the old key is still on the token."""
    audit = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("tests/audit/test_keys.py", "--sudo", f"--hosts={host.hosts[0].name}"),
            *(f"--ssh-config={host.ssh_config}", f"--ca-file={host.directory / 'ca' / 'ca.pem'}"),
        ],
        cwd=running.ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert audit.returncode == 0, audit.stdout
