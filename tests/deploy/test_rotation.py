"""Keys rotate on a host by themselves, while clients get tokens; and one command ends a key."""

from __future__ import annotations

import json

from tests.deploy import running
from tests.lab.fixtures import RunningLab

KEYS = "/etc/oauth2/keys"
PROGRAM = "sudo /usr/local/bin/oauth-server keys"


def listed(lab: RunningLab) -> dict[str, str]:
    """Kids by state: of each there is one in these tests."""
    document = json.loads(lab.ssh(f"{PROGRAM} list --json").stdout)
    return {key["state"]: key["kid"] for key in document["keys"]}


def test_the_timers_run_has_nothing_to_do_and_succeeds(deployed: RunningLab) -> None:
    """In its sandbox: it reads the settings, and may write to the ring."""
    before = listed(deployed)
    done = deployed.ssh("sudo systemctl start oauth-key-rotate.service")
    assert done.returncode == 0, done.stderr
    said = deployed.ssh("sudo journalctl -q -o cat -u oauth-key-rotate.service").stdout
    assert "no key is to be removed" in said
    assert "not due before" in said
    assert listed(deployed) == before


def test_the_unit_is_sandboxed(deployed: RunningLab) -> None:
    rated = deployed.ssh("systemd-analyze security --threshold=15 oauth-key-rotate.service")
    assert rated.returncode == 0, rated.stdout


def test_the_lineage_is_one(deployed: RunningLab) -> None:
    done = deployed.ssh(f"{PROGRAM} verify")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_key_that_no_cache_knows_does_not_sign(deployed: RunningLab) -> None:
    done = deployed.ssh(f"{PROGRAM} rotate")
    assert done.returncode == 1
    assert "may sign from" in done.stderr


def test_an_emergency_is_one_command_and_a_deploy_then_changes_nothing(
    deployed: RunningLab,
) -> None:
    before = listed(deployed)
    done = deployed.ssh(f"{PROGRAM} emergency active")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{before['active']}: what it signed is revoked" in done.stdout
    after = listed(deployed)
    assert after["active"] == before["pending"]
    assert before["active"] not in deployed.ssh(f"sudo ls {KEYS}/ring").stdout
    owners = deployed.ssh(f"sudo find {KEYS} ! -user oauth_user").stdout
    assert owners == ""
    for _ in range(10):
        if deployed.ssh(f"{PROGRAM} verify").returncode == 0:
            break
    assert deployed.ssh(f"{PROGRAM} verify").returncode == 0
    running.deploy(deployed)
    assert listed(deployed) == after
