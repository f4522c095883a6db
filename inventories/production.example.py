"""Two authorization servers behind a bastion. Copy it with ssh_config.example, and make it yours.

    pyinfra --dry inventories/production.py deploy.py     what would change
    pyinfra inventories/production.py deploy.py           change it

Every key is described in docs/inventory.md. An unknown key, a wrong type or a missing value stops
the run before any host is changed.
"""

from roles.fast_ssh import CONNECT_KWARGS

# What differs from host to host. The names are also the ones under which ssh finds the hosts.
_HOSTS = [
    ("auth1.example.net", {"oauth_server": {"issuer": "https://auth1.example.net"}}),
    ("auth2.example.net", {"oauth_server": {"issuer": "https://auth2.example.net"}}),
]

_COMMON = {
    # How to get there. ProxyJump, users and keys stand in the ssh_config, as for ssh itself.
    "ssh_config_file": "inventories/ssh_config",
    "ssh_strict_host_key_checking": "yes",
    "ssh_paramiko_connect_kwargs": CONNECT_KWARGS,
    "_sudo": True,
    # A certificate of yours. Its key is named, not written: read on this machine when it is needed.
    "certificates": {
        "mode": "files",
        "certificate": "certificates/fullchain.pem",
        "private_key": {"command": ["pass", "show", "oauth/tls-key"]},
    },
    # RFC 7591's names. `oauth-server clients secret` makes a secret and its hash; only the hash
    # belongs here.
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
        {
            "client_id": "billing",
            "grant_types": ["client_credentials"],
            "scope": "telemetry:read",
            "token_endpoint_auth_method": "client_secret_post",
            "client_secret": {"env": "BILLING_CLIENT_SECRET"},
        },
    ],
    # Without "users" the command line on each host keeps them: oauth-server users add NAME.
    "chrony": {"servers": ["time1.example.net", "time2.example.net", "time3.example.net"]},
    "fail2ban": {"ignore": ["192.0.2.0/24"]},
}

# A host is in all three groups: the server, the gateway in front of it, and its Redis. Hosts that
# share the work are in fleet.example.py.
auth_servers = (_HOSTS, _COMMON)
gateways = [name for name, _ in _HOSTS]
state = [name for name, _ in _HOSTS]
