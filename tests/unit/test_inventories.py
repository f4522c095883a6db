"""The example that operators copy passes the checks that their copy will meet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyinfra.connectors.ssh import SSHConnector

from roles.hostdata.check import validate
from roles.topology import GROUPS, places

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def example() -> dict[str, dict[str, Any]]:
    return _known("production.example.py")


def _known(inventory: str) -> dict[str, dict[str, Any]]:
    """What pyinfra makes of an inventory, in a process of its own: its CLI patches sockets."""
    said = subprocess.run(
        [
            *(sys.executable, "-m", "pyinfra", f"inventories/{inventory}"),
            *("debug-inventory", "--json"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {host["name"]: host for host in json.loads(said.stdout)}


def test_the_production_example_is_valid_for_every_host(example: dict[str, dict[str, Any]]) -> None:
    assert set(example) == {"auth1.example.net", "auth2.example.net"}
    for name, host in example.items():
        assert {"auth_servers", "gateways", "state"} <= set(host["groups"])
        data = validate(name, host["data"], connection_keys=frozenset(SSHConnector.data_meta))
        assert data.oauth_server.issuer == f"https://{name}"


def test_the_example_jumps_through_its_bastion(example: dict[str, dict[str, Any]]) -> None:
    for host in example.values():
        copied_from = ROOT / (host["data"]["ssh_config_file"] + ".example")
        assert "ProxyJump bastion" in copied_from.read_text()


def test_the_example_of_a_fleet_is_one() -> None:
    hosts = _known("fleet.example.py")
    keys = frozenset(SSHConnector.data_meta)
    data = {
        name: validate(name, host["data"], connection_keys=keys) for name, host in hosts.items()
    }
    groups = {name: frozenset(host["groups"]) & set(GROUPS) for name, host in hosts.items()}
    found, faults = places(groups, data)
    assert faults == []
    fleet = found["edge1.example.net"].fleet
    assert fleet is not None
    assert [server.name for server in fleet.servers] == ["auth1.example.net", "auth2.example.net"]
    assert fleet.state.name == "edge1.example.net"
