"""No secret is in pyinfra's output at any verbosity, a process's arguments or environ, or a log."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy import running
from tests.lab.code_flow import CodeFlow
from tests.lab.fixtures import RunningLab

_CLIENT_SECRET = "a-secret-that-only-the-environment-holds"

# Everything that makes the run send secrets anew: a certificate's key, Redis' password, a client.
_FORGET = (
    "sudo systemctl stop oauth-server.service; "
    "sudo rm -rf /etc/oauth2/certs /etc/oauth2/redis.password /etc/oauth2/clients.json "
    "/etc/oauth2/users.json"
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


# Every log of the host, whoever writes it; the journal's own files are read by its program. And
# what a process left that died: in its directory, or with whoever the kernel hands cores to.
_LOGS = (
    "sudo sh -c '{ journalctl --no-pager -o export; "
    "find /var/log -path /var/log/journal -prune -o -type f -exec zcat -f {} +; "
    'find / -xdev -type f \\( -name core -o -name "core.[0-9]*" -o -path "*/coredump/*" \\) '
    "-size +0 ! -path \"/usr/*\" -exec cat {} +; }' | LC_ALL=C tr -c '[:print:]\\n' '?'"
)
# As a fault in a library would. systemd starts it again, and nginx' master its worker.
_CRASH = (
    "sudo systemctl kill --signal=SEGV oauth-server.service; "
    "sudo sh -c 'kill -SEGV $(cat /proc/$(cat /run/nginx.pid)/task/*/children)'; sleep 2; "
    "for try in 1 2 3 4 5 6 7 8 9; do systemctl is-active -q oauth-server && break; sleep 1; done"
)


@dataclass(frozen=True)
class Shown:
    """What the loudest run said, what processes on the host showed meanwhile, and the logs.

    `passed` are the secrets of a login that went on while processes were watched.
    """

    said: str
    seen: str
    logs: str
    passed: dict[str, str]


@pytest.fixture(scope="module")
def shown(deployed: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
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
        passed = _log_in(deployed)
        deployed.ssh(_CRASH)
    yield Shown(said, seen[0], deployed.ssh(_LOGS).stdout, passed)
    running.deploy(deployed)


def _log_in(lab: RunningLab) -> dict[str, str]:
    """Everything secret of a login, honest requests and ones in the wrong place alike."""
    described = json.loads(lab.lab_json.read_text())
    with closing(CodeFlow(described)) as app:
        consent = app.log_in(app.ask())
        answer = app.allow(consent)
        tokens = app.redeem(answer)
        app.refused(grant_type="authorization_code", code=answer["code"], code_verifier="x" * 43)
        fresh = CodeFlow(described)
        with closing(fresh):
            pair = fresh.redeem(fresh.allow(fresh.log_in(fresh.ask())))
            fresh.refresh(pair["refresh_token"])
            fresh.revoke(pair["access_token"])
        family = len(pair["refresh_token"]) - 86
        return {
            "code": answer["code"],
            "verifier": app.verifier,
            "access token": tokens["access_token"].rpartition(".")[2],
            "refresh token": tokens["refresh_token"],
            "handle of a refresh token": pair["refresh_token"][family : family + 43],
            "secret of a refresh token": pair["refresh_token"][-43:],
            **{f"cookie {name}": value for name, value in app.cookies.items()},
        }


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
        "password hash": described["user"]["password_hash"],
        "salt and tag of it": described["user"]["password_hash"].split("p=4$")[1],
        "password of Redis": lab.ssh("sudo cat /etc/oauth2/redis.password").stdout.strip(),
        "key of the certificate": key[1],
        "signing key": signing[1],
    }


def test_every_secret_was_really_there(deployed: RunningLab, shown: Shown) -> None:
    """Else the tests below would look for nothing."""
    assert all(len(secret) >= 32 for secret in _secrets(deployed).values())
    assert all(len(secret) >= 43 for secret in shown.passed.values())
    assert {"cookie __Host-session", "cookie __Host-device"} <= shown.passed.keys()
    assert "from_the_environment" in deployed.ssh("sudo cat /etc/oauth2/clients.json").stdout
    password_hash = _secrets(deployed)["password hash"]
    assert password_hash in deployed.ssh("sudo cat /etc/oauth2/users.json").stdout
    assert "/etc/oauth2/certs" in shown.seen, "the watcher saw nothing of the run"
    assert " 200 - token " in shown.logs
    assert "/authorize" in shown.logs
    assert "status=11/SEGV" in shown.logs, "nothing crashed"


def test_no_secret_is_in_the_output(deployed: RunningLab, shown: Shown) -> None:
    assert _found(deployed, shown, shown.said) == []


def test_no_secret_is_in_an_argument_or_an_environment(deployed: RunningLab, shown: Shown) -> None:
    assert _found(deployed, shown, shown.seen) == []


def test_no_secret_is_in_a_log(deployed: RunningLab, shown: Shown) -> None:
    """The journal, all of /var/log and cores, a code and a token sent wrongly included."""
    assert _found(deployed, shown, shown.logs) == []


def _found(lab: RunningLab, shown: Shown, text: str) -> list[str]:
    described = json.loads(lab.lab_json.read_text())
    secrets = {
        **_secrets(lab),
        **shown.passed,
        "password": described["user"]["password"],
    }
    return [name for name, secret in secrets.items() if secret in text]
