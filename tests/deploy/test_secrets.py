"""No secret is in pyinfra's output at any verbosity, nor in a process's arguments or environ."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy import running
from tests.lab.fixtures import RunningLab

_CLIENT_SECRET = "a-secret-that-only-the-environment-holds"

# Everything that makes the run send secrets anew: a certificate's key, Redis' password, a client.
_FORGET = (
    "sudo systemctl stop oauth-server.service; "
    "sudo rm -rf /etc/oauth2/certs /etc/oauth2/redis.password /etc/oauth2/clients.json"
)
_INVENTORY = """\
import sys
sys.path.insert(0, {root!r})
from inventories.lab import auth_servers as _hosts
_extra = {{
    "client_id": "from_the_environment", "grant_types": ["client_credentials"], "scope": "a",
    "token_endpoint_auth_method": "client_secret_post",
    "client_secret": {{"env": "PROBE_SECRET"}},
}}
hosts = [(name, {{**data, "clients": [*data["clients"], _extra]}}) for name, data in _hosts]
"""
_WATCH = """
end=$(($(date +%s) + 120))
while test -e /run/watch && test $(date +%s) -lt $end; do
  cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | sort -u >> /run/seen
  sort -u -o /run/seen /run/seen
done
"""


@pytest.fixture(scope="module")
def run_with_everything_shown(
    deployed: RunningLab, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """What the loudest run says, and what every process on the host showed during it."""
    inventory = tmp_path_factory.mktemp("inventory") / "inventory.py"
    inventory.write_text(_INVENTORY.format(root=str(running.ROOT)))
    deployed.ssh(_FORGET)
    said = ""
    with _watched(deployed) as seen:
        for last in ("--dry", "--debug-operations", "--debug-facts", "-y"):
            result = running.pyinfra(
                deployed,
                *("-vvv", "--diff", "--debug", "--debug-all", last),
                inventory=str(inventory),
                PROBE_SECRET=_CLIENT_SECRET,
            )
            said += result.stdout + result.stderr
            assert result.returncode == 0, said
    yield said, seen[0]
    running.deploy(deployed)


@contextmanager
def _watched(lab: RunningLab) -> Iterator[list[str]]:
    seen: list[str] = []
    lab.ssh("sudo touch /run/watch; sudo rm -f /run/seen")
    watcher = subprocess.Popen(
        ["ssh", "-F", str(lab.ssh_config), lab.hosts[0].name, "sudo", "sh"],
        stdin=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdin is not None
    watcher.stdin.write(_WATCH)
    watcher.stdin.close()
    time.sleep(0.5)
    try:
        yield seen
    finally:
        lab.ssh("sudo rm -f /run/watch")
        watcher.wait(timeout=130)
        seen.append(lab.ssh("sudo cat /run/seen; sudo rm -f /run/seen").stdout)


def _secrets(lab: RunningLab) -> dict[str, str]:
    described = json.loads(Path(lab.lab_json).read_text())
    key = lab.ssh("sudo cat /etc/oauth2/certs/server.key").stdout.splitlines()
    signing = lab.ssh("sudo cat /etc/oauth2/keys/private_key.pem").stdout.splitlines()
    return {
        "client secret by reference": _CLIENT_SECRET,
        "client secret of lab.json": described["confidential_client"]["client_secret"],
        "password of Redis": lab.ssh("sudo cat /etc/oauth2/redis.password").stdout.strip(),
        "key of the certificate": key[1],
        "signing key": signing[1],
    }


def test_every_secret_was_really_there(
    deployed: RunningLab, run_with_everything_shown: tuple[str, str]
) -> None:
    """Else the two tests below would look for nothing."""
    _, seen = run_with_everything_shown
    assert all(len(secret) >= 32 for secret in _secrets(deployed).values())
    assert "from_the_environment" in deployed.ssh("sudo cat /etc/oauth2/clients.json").stdout
    assert "/etc/oauth2/certs" in seen, "the watcher saw nothing of the run"


def test_no_secret_is_in_the_output(
    deployed: RunningLab, run_with_everything_shown: tuple[str, str]
) -> None:
    said, _ = run_with_everything_shown
    assert [name for name, secret in _secrets(deployed).items() if secret in said] == []


def test_no_secret_is_in_an_argument_or_an_environment(
    deployed: RunningLab, run_with_everything_shown: tuple[str, str]
) -> None:
    _, seen = run_with_everything_shown
    assert [name for name, secret in _secrets(deployed).items() if secret in seen] == []
