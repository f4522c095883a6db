"""The running lab: `pyinfra inventories/lab.py deploy.py`.

Its hosts are read from .lab/lab.json, or from the file that PORTCULLIS_LAB_JSON names. Each host
is all three: authorization server, gateway and state.
"""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from roles.fast_ssh import CONNECT_KWARGS
from tests.lab import description
from tests.lab.machine import LabError

_LAB_JSON = Path(os.environ.get("PORTCULLIS_LAB_JSON", ".lab/lab.json"))
try:
    _LAB = description.read(_LAB_JSON)
except LabError as error:
    sys.exit(str(error))
_FILES = Path(_LAB["ssh_config"]).parent


def _clients() -> list[dict[str, Any]]:
    """Register what lab.json describes; the secret itself stays there."""
    confidential, public = _LAB["confidential_client"], _LAB["public_client"]
    digest = hashlib.sha256(confidential["client_secret"].encode()).hexdigest()
    return [
        {
            "client_id": confidential["client_id"],
            "client_name": "Lab gateway",
            "grant_types": ["client_credentials"],
            "scope": confidential["scope"],
            "token_endpoint_auth_method": "client_secret_basic",
            "client_secret_hash": f"sha256:{digest}",
        },
        {
            "client_id": public["client_id"],
            "client_name": "Lab app",
            "redirect_uris": [public["redirect_uri"]],
            "grant_types": ["authorization_code", "refresh_token"],
            "scope": public["scope"],
            "token_endpoint_auth_method": "none",
        },
    ]


def _users() -> list[dict[str, Any]]:
    """The one user of lab.json, by the hash that the lab keeps: its salt is new at each making."""
    user = _LAB["user"]
    return [{"username": user["username"], "password_hash": user["password_hash"]}]


def _host(described: dict[str, str]) -> tuple[str, dict[str, Any]]:
    address = described["address"]
    # The lab's own machine is the network's first address, and the only one that hosts can ask.
    machine = f"{address.rpartition('.')[0]}.1"
    connection = {
        "ssh_hostname": address,
        "ssh_user": "deploy",
        "ssh_key": str(_FILES / "id_ed25519"),
        "ssh_allow_agent": False,
        "ssh_look_for_keys": False,
        "ssh_config_file": _LAB["ssh_config"],
        "ssh_known_hosts_file": str(_FILES / "known_hosts"),
        "ssh_strict_host_key_checking": "yes",
        "ssh_paramiko_connect_kwargs": CONNECT_KWARGS,
        "_sudo": True,
    }
    roles = {
        "oauth_server": {"issuer": f"https://{address}"},
        "clients": _clients(),
        "users": _users(),
        # Beside its CA, since a lab is one machine's; elsewhere it belongs into another place.
        "certificates": {
            "mode": "local_ca",
            "directory": str(Path(_LAB["ca_file"]).parent),
            "passphrase": {"file": str(_FILES / "ca-passphrase")},
        },
        # A lab host shares the machine's clock, which nothing in a lab may move.
        "chrony": {"servers": [machine], "steer_clock": False},
    }
    return described["name"], connection | roles


auth_servers = [_host(described) for described in _LAB["hosts"]]
gateways = auth_servers
state = auth_servers
