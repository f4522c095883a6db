"""inventories/lab.py: what pyinfra gets of a running lab."""

import hashlib
import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from pyinfra.connectors.ssh import connector_data_meta

from roles import hostdata

INVENTORY = Path(__file__).parents[2] / "inventories/lab.py"
SECRET = "a secret of this lab"


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    described = {
        "hosts": [
            {"name": f"lab-{number}", "kind": "debian-12", "address": f"10.213.4.1{number}"}
            for number in (1, 2)
        ],
        "ssh_config": str(tmp_path / "ssh_config"),
        "issuer": "https://10.213.4.11",
        "ca_file": str(tmp_path / "ca/ca.pem"),
        "confidential_client": {
            "client_id": "lab_gateway",
            "client_secret": SECRET,
            "scope": "telemetry:read",
        },
        "public_client": {
            "client_id": "lab_app",
            "redirect_uri": "http://127.0.0.1/callback",
            "scope": "telemetry:read",
        },
        "user": {"username": "ada", "password": "another"},
    }
    lab_json = tmp_path / "lab.json"
    lab_json.write_text(json.dumps(described))
    monkeypatch.setenv("PORTCULLIS_LAB_JSON", str(lab_json))
    return runpy.run_path(str(INVENTORY))


def test_every_host_is_in_all_three_groups(inventory: dict[str, Any]) -> None:
    for group in ("auth_servers", "gateways", "state"):
        assert [name for name, _ in inventory[group]] == ["lab-1", "lab-2"]


def test_its_host_data_is_what_the_roles_accept(inventory: dict[str, Any]) -> None:
    for name, data in inventory["auth_servers"]:
        valid = hostdata.validate(name, data, connection_keys=frozenset(connector_data_meta))
        assert valid.oauth_server.issuer == f"https://{data['ssh_hostname']}"
        assert valid.chrony.servers == ("10.213.4.1",)
        assert valid.chrony.steer_clock is False


def test_it_carries_the_hash_of_the_secret_and_not_the_secret(inventory: dict[str, Any]) -> None:
    shown = repr(inventory["auth_servers"])
    assert hashlib.sha256(SECRET.encode()).hexdigest() in shown
    assert SECRET not in shown


def test_host_keys_are_checked_strictly(inventory: dict[str, Any], tmp_path: Path) -> None:
    for _, data in inventory["auth_servers"]:
        assert data["ssh_strict_host_key_checking"] == "yes"
        assert data["ssh_known_hosts_file"] == str(tmp_path / "known_hosts")


def test_without_a_lab_it_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTCULLIS_LAB_JSON", str(tmp_path / "lab.json"))
    with pytest.raises(SystemExit, match=r"lab\.json is not there: .* `make lab`"):
        runpy.run_path(str(INVENTORY))
