"""New clients, users and settings without a restart, and who owns the users."""

from __future__ import annotations

import json
import ssl
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy import running
from tests.deploy.asking import requests_running, token
from tests.lab.code_flow import CodeFlow
from tests.lab.fixtures import RunningLab

_CLIENT = {
    "client_id": "new_one",
    "grant_types": ["client_credentials"],
    "scope": "telemetry:read",
    "token_endpoint_auth_method": "client_secret_basic",
}
_INVENTORY = """\
import sys
sys.path.insert(0, {root!r})
from inventories.lab import auth_servers as _hosts
hosts = [(name, {{**data, {changes}}}) for name, data in _hosts]
"""
_USERS = "/etc/oauth2/users.json"


@pytest.fixture(scope="module")
def lab_json(deployed: RunningLab) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(deployed.lab_json.read_text())
    return described


def deploy_with(lab: RunningLab, directory: Path, changes: str) -> str:
    """`changes` are Python's, of a host's data; gives what pyinfra said."""
    inventory = directory / "inventory.py"
    inventory.write_text(_INVENTORY.format(root=str(running.ROOT), changes=changes))
    done = running.pyinfra(lab, "-y", "--diff", inventory=str(inventory))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def main_process(lab: RunningLab) -> str:
    return lab.ssh("systemctl show -P MainPID -P NRestarts oauth-server.service").stdout


def sudo(lab: RunningLab, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh", "-F", str(lab.ssh_config), lab.hosts[0].name, f"sudo {command}"],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_new_client_is_taken_over_while_requests_run_and_none_of_them_fails(
    deployed: RunningLab, lab_json: dict[str, Any], tmp_path: Path
) -> None:
    secret = sudo(deployed, "oauth-server clients secret").stdout.split()
    client = {**_CLIENT, "client_secret_hash": secret[3]}
    before = main_process(deployed)
    trust = ssl.create_default_context(cafile=lab_json["ca_file"])
    try:
        with requests_running(lab_json) as answers:
            deploy_with(deployed, tmp_path, f'"clients": [*data["clients"], {client!r}]')
            with httpx.Client(verify=trust, timeout=15) as http:
                assert token(http, lab_json["issuer"], "new_one", secret[1]) == 200
        assert len(answers) > 20
        assert set(answers) == {200}
        assert main_process(deployed) == before
    finally:
        running.deploy(deployed)
    with httpx.Client(verify=trust, timeout=15) as http:
        assert token(http, lab_json["issuer"], "new_one", secret[1]) == 401
    assert main_process(deployed) == before


def test_a_changed_setting_is_taken_over_without_a_restart(
    deployed: RunningLab, lab_json: dict[str, Any], tmp_path: Path
) -> None:
    before = main_process(deployed)
    try:
        changes = '"oauth_server": {**data["oauth_server"], "access_token_lifetime": 60}'
        deploy_with(deployed, tmp_path, changes)
        with closing(CodeFlow(lab_json)) as app:
            assert app.redeem(app.allow(app.log_in(app.ask())))["expires_in"] == 60
    finally:
        running.deploy(deployed)
    assert main_process(deployed) == before


def test_a_broken_file_is_refused_by_reload_and_the_old_one_stays(
    deployed: RunningLab, lab_json: dict[str, Any]
) -> None:
    clients = "/etc/oauth2/clients.json"
    before = main_process(deployed)
    sudo(deployed, f"cp -a {clients} /root/kept-clients")
    try:
        sudo(deployed, f"tee {clients}", '{"clients": [{}]}')
        assert sudo(deployed, "systemctl reload oauth-server").returncode == 1
        journal = sudo(deployed, "journalctl -u oauth-server -n 20 -o cat").stdout
        assert f"{clients}: clients[0]" in journal
        with closing(CodeFlow(lab_json)) as app:
            app.redeem(app.allow(app.log_in(app.ask())))
    finally:
        sudo(deployed, f"mv /root/kept-clients {clients}")
    assert sudo(deployed, "systemctl reload oauth-server").returncode == 0
    assert main_process(deployed) == before


@pytest.mark.parametrize("command", ["add grace", "passwd ada", "disable ada", "enable ada"])
def test_users_of_the_inventory_are_not_changed_on_the_host(
    deployed: RunningLab, command: str
) -> None:
    before = sudo(deployed, f"stat -c %y {_USERS}").stdout
    refused = sudo(deployed, f"oauth-server users {command}", "correct horse battery staple\n")
    assert refused.returncode == 1
    assert "belongs to the deploy: change the users in the inventory and deploy" in refused.stderr
    assert sudo(deployed, f"stat -c %y {_USERS}").stdout == before
    assert sudo(deployed, "oauth-server users list").stdout.split() == ["ada", "active"]


def test_users_whom_the_host_keeps_survive_a_deploy_and_can_log_in(
    deployed: RunningLab, lab_json: dict[str, Any], tmp_path: Path
) -> None:
    without_users = '"users": None'
    password = "correct horse battery staple"
    grace = {**lab_json, "user": {"username": "grace", "password": password}}
    try:
        sudo(deployed, f"rm {_USERS}")
        deploy_with(deployed, tmp_path, without_users)
        added = sudo(deployed, "oauth-server users add grace", f"{password}\n")
        assert added.returncode == 0, added.stderr
        assert sudo(deployed, "systemctl reload oauth-server").returncode == 0
        before = sudo(deployed, f"stat -c '%a %U %G %y' {_USERS}").stdout
        assert before.startswith("640 root oauth_group ")
        deploy_with(deployed, tmp_path, without_users)
        assert sudo(deployed, f"stat -c '%a %U %G %y' {_USERS}").stdout == before
        with closing(CodeFlow(grace)) as app:
            app.redeem(app.allow(app.log_in(app.ask())))
    finally:
        running.deploy(deployed)
    assert sudo(deployed, "oauth-server users list").stdout.split() == ["ada", "active"]


def test_a_diff_shows_who_may_log_in_and_no_hash(
    deployed: RunningLab, lab_json: dict[str, Any], tmp_path: Path
) -> None:
    more = '"users": [*data["users"], {**data["users"][0], "username": "grace"}]'
    try:
        said = deploy_with(deployed, tmp_path, more)
        assert '"username": "grace"' in said
        assert lab_json["user"]["password_hash"] not in said
        assert "argon2id" not in said
    finally:
        running.deploy(deployed)
