"""Who guesses passwords or codes at the real endpoints is kept out, and nobody else is."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_address
from typing import Any

import httpx
import pytest

from tests.deploy import running
from tests.lab import naming
from tests.lab.code_flow import CodeFlow
from tests.lab.fixtures import RunningLab
from tests.lab.machine import LabError

_RETRIES = 10


@pytest.fixture(scope="module")
def lab_json(deployed: RunningLab) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(deployed.lab_json.read_text())
    return described


@pytest.fixture
def stranger(deployed: RunningLab, lab_json: dict[str, Any]) -> Iterator[str]:
    """An address that nothing was deployed from: the one that was is never banned."""
    address = str(ip_address(lab_json["issuer"].removeprefix("https://")) + 189)
    at = ["dev", naming.bridge(deployed.name)]
    subprocess.run(["ip", "address", "add", f"{address}/32", *at], check=True)
    yield address
    subprocess.run(["ip", "address", "del", f"{address}/32", *at], check=True)
    deployed.ssh(f"sudo fail2ban-client set oauth-server unbanip {address}")


def guess_passwords(lab_json: dict[str, Any], source: str) -> None:
    with closing(CodeFlow(lab_json, source=source)) as app:
        page = app.ask()
        for number in range(_RETRIES):
            with pytest.raises(LabError, match="401"):
                app.log_in(page, password=f"a guess of many: {number}")


def guess_codes(lab_json: dict[str, Any], source: str) -> None:
    with closing(CodeFlow(lab_json, source=source)) as app:
        for number in range(_RETRIES):
            guessed = {"code": f"guess-{number}", "code_verifier": app.verifier}
            redirect = {"redirect_uri": app.client["redirect_uri"]}
            error = app.refused(grant_type="authorization_code", **guessed, **redirect)
            assert error == "invalid_grant"


@pytest.mark.parametrize("guess", [guess_passwords, guess_codes])
def test_who_guesses_is_banned_and_others_are_not(
    deployed: RunningLab,
    lab_json: dict[str, Any],
    stranger: str,
    guess: Callable[[dict[str, Any], str], None],
) -> None:
    guess(lab_json, stranger)
    deadline = time.monotonic() + 20
    while stranger not in deployed.ssh("sudo fail2ban-client status oauth-server").stdout:
        assert time.monotonic() < deadline, "nobody was banned"
        time.sleep(0.5)
    trust = ssl.create_default_context(cafile=lab_json["ca_file"])
    for port in ("", ":8443"):
        url = f"{lab_json['issuer']}{port}/health/live"
        transport = httpx.HTTPTransport(verify=trust, local_address=stranger)
        refused = pytest.raises(httpx.TransportError)
        with httpx.Client(transport=transport, timeout=3) as banned, refused:
            banned.get(url)
        with httpx.Client(verify=trust) as other:
            assert other.get(url).status_code == 200


def test_a_fail2ban_that_dies_of_its_python_fails_the_deploy_with_its_own_words(
    deployed: RunningLab,
) -> None:
    """As Ubuntu 24.04's first one does, whose Python has no asynchat any more."""
    modules = "/usr/lib/python3.11"
    taken = "asynchat.py asyncore.py"
    deployed.ssh(f"cd {modules} && sudo mkdir taken && sudo mv {taken} taken/")
    deployed.ssh("sudo systemctl stop fail2ban")
    try:
        failed = running.pyinfra(deployed, "-y")
    finally:
        deployed.ssh(f"cd {modules} && sudo mv taken/* . && sudo rmdir taken")
    assert failed.returncode != 0
    assert "No module named 'asynchat'" in failed.stdout + failed.stderr
    assert running.pending(deployed) == ["fail2ban | Run Fail2Ban [BAN-02]"]
    running.deploy(deployed)
    assert running.pending(deployed) == []
