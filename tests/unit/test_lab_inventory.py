"""inventories/lab.py: what pyinfra gets of a running lab."""

import hashlib
import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from pyinfra.connectors.ssh import connector_data_meta

from roles.hostdata.check import validate

INVENTORY = Path(__file__).parents[2] / "inventories/lab.py"
SECRET = "a secret of this lab"
PASSWORD = "a password of this lab"
PASSWORD_HASH = f"$argon2id$v=19$m=65536,t=3,p=4${'b' * 22}${'c' * 43}"


@pytest.fixture
def described(tmp_path: Path) -> dict[str, Any]:
    return {
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
        "user": {"username": "ada", "password": PASSWORD, "password_hash": PASSWORD_HASH},
    }


@pytest.fixture
def lab_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lab.json"
    monkeypatch.setenv("PORTCULLIS_LAB_JSON", str(path))
    return path


@pytest.fixture
def inventory(described: dict[str, Any], lab_json: Path) -> dict[str, Any]:
    lab_json.write_text(json.dumps(described))
    return runpy.run_path(str(INVENTORY))


def test_every_host_is_in_all_three_groups(inventory: dict[str, Any]) -> None:
    for group in ("auth_servers", "gateways", "state"):
        assert [name for name, _ in inventory[group]] == ["lab-1", "lab-2"]


def test_its_host_data_is_what_the_roles_accept(inventory: dict[str, Any]) -> None:
    for name, data in inventory["auth_servers"]:
        valid = validate(name, data, connection_keys=frozenset(connector_data_meta))
        assert valid.oauth_server.issuer == f"https://{data['ssh_hostname']}"
        assert valid.chrony.servers == ("10.213.4.1",)
        assert valid.chrony.steer_clock is False


def test_it_carries_the_hash_of_the_secret_and_not_the_secret(inventory: dict[str, Any]) -> None:
    shown = repr(inventory["auth_servers"])
    assert hashlib.sha256(SECRET.encode()).hexdigest() in shown
    assert SECRET not in shown
    assert PASSWORD_HASH in shown
    assert PASSWORD not in shown


def test_host_keys_are_checked_strictly(inventory: dict[str, Any], tmp_path: Path) -> None:
    for _, data in inventory["auth_servers"]:
        assert data["ssh_strict_host_key_checking"] == "yes"
        assert data["ssh_known_hosts_file"] == str(tmp_path / "known_hosts")


@pytest.mark.usefixtures("lab_json")
def test_without_a_lab_it_says_how_to_get_one() -> None:
    with pytest.raises(SystemExit, match=r"lab\.json is not there: .* `make lab`"):
        runpy.run_path(str(INVENTORY))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\0", b"[" * 100_000, b"[]", b"{}", b"null"])
def test_a_broken_description_is_refused_in_one_sentence(lab_json: Path, content: bytes) -> None:
    lab_json.write_bytes(content)
    with pytest.raises(SystemExit, match=r"lab\.json (is not JSON|describes no lab .*): .*`make"):
        runpy.run_path(str(INVENTORY))


def test_a_directory_is_no_description(lab_json: Path) -> None:
    lab_json.mkdir()
    with pytest.raises(SystemExit, match=r"lab\.json cannot be read: Is a directory"):
        runpy.run_path(str(INVENTORY))


@pytest.mark.parametrize("key", ["hosts", "issuer", "ca_file", "confidential_client", "user"])
def test_a_description_without_one_of_its_keys_is_refused_by_that_key(
    described: dict[str, Any], lab_json: Path, key: str
) -> None:
    del described[key]
    lab_json.write_text(json.dumps(described))
    with pytest.raises(SystemExit, match=rf"describes no lab \({key} is amiss\)") as refused:
        runpy.run_path(str(INVENTORY))
    assert SECRET not in str(refused.value)


def test_a_lab_without_hosts_is_refused(described: dict[str, Any], lab_json: Path) -> None:
    """To pyinfra a deploy to nobody is a success."""
    lab_json.write_text(json.dumps({**described, "hosts": []}))
    with pytest.raises(SystemExit, match=r"describes no lab \(hosts is amiss\)"):
        runpy.run_path(str(INVENTORY))
