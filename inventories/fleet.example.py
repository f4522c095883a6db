"""Two authorization servers behind one gateway, and Redis beside it: one issuer. Make it yours.

    pyinfra --dry inventories/fleet.py deploy.py     what would change
    pyinfra inventories/fleet.py deploy.py           change it

docs/inventory.md describes each key, and what a fleet is.
"""

from roles.fast_ssh import CONNECT_KWARGS

_COMMON = {
    "ssh_config_file": "inventories/ssh_config",
    "ssh_strict_host_key_checking": "yes",
    "ssh_paramiko_connect_kwargs": CONNECT_KWARGS,
    "_sudo": True,
    "oauth_server": {"issuer": "https://auth.example.net"},
    # The issuer's certificate, on every host: they know each other by it, too.
    "certificates": {
        "mode": "files",
        "certificate": "certificates/fullchain.pem",
        "private_key": {"command": ["pass", "show", "oauth/tls-key"]},
    },
    "clients": [
        {
            "client_id": "gateway_01",
            "client_name": "Telemetry gateway",
            "grant_types": ["client_credentials"],
            "scope": "telemetry:read telemetry:write",
            "token_endpoint_auth_method": "client_secret_basic",
            "client_secret_hash": "sha256:"
            "0000000000000000000000000000000000000000000000000000000000000000",
        },
    ],
    "chrony": {"servers": ["time1.example.net", "time2.example.net", "time3.example.net"]},
}

auth_servers = (
    [
        ("auth1.example.net", {"address": "192.0.2.11"}),
        ("auth2.example.net", {"address": "192.0.2.12"}),
    ],
    _COMMON,
)
gateways = ([("edge1.example.net", {"address": "192.0.2.13"})], _COMMON)
# The same host may be in several groups.
state = ["edge1.example.net"]
