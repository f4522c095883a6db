"""The one machine of a CI job, which is all three: server, gateway and state.

PORTCULLIS_CI is the directory with ssh's `config` and `known_hosts`; the CA is made there, too, and
its key encrypted with CA_PASSPHRASE.
PORTCULLIS_ADDRESS is where clients reach the machine. PROBE_CLIENT_SECRET is the secret of the
client that the audit fetches a token as. PORTCULLIS_CONTAINER says that the machine has no clock
of its own, and PORTCULLIS_TIME_SERVERS whom chrony asks where it cannot reach the NTP pool.
"""

import os

from roles.fast_ssh import CONNECT_KWARGS

_FILES = os.environ["PORTCULLIS_CI"]
_TIME_SERVERS = os.environ.get("PORTCULLIS_TIME_SERVERS", "").split()

auth_servers = [
    (
        "machine",
        {
            "ssh_config_file": f"{_FILES}/config",
            "ssh_known_hosts_file": f"{_FILES}/known_hosts",
            "ssh_strict_host_key_checking": "yes",
            "ssh_paramiko_connect_kwargs": CONNECT_KWARGS,
            "_sudo": True,
            "oauth_server": {"issuer": f"https://{os.environ['PORTCULLIS_ADDRESS']}"},
            "certificates": {
                "mode": "local_ca",
                "directory": f"{_FILES}/ca",
                "passphrase": {"env": "CA_PASSPHRASE"},
            },
            "chrony": {
                "steer_clock": "PORTCULLIS_CONTAINER" not in os.environ,
                **({"servers": _TIME_SERVERS} if _TIME_SERVERS else {}),
            },
            "clients": [
                {
                    "client_id": "ci_probe",
                    "grant_types": ["client_credentials"],
                    "scope": "telemetry:read",
                    "token_endpoint_auth_method": "client_secret_basic",
                    "client_secret": {"env": "PROBE_CLIENT_SECRET"},
                },
                # Nobody logs in; with it the audit can see that no code is had without PKCE.
                {
                    "client_id": "ci_app",
                    "grant_types": ["authorization_code"],
                    "scope": "telemetry:read",
                    "token_endpoint_auth_method": "none",
                    "redirect_uris": ["http://127.0.0.1/callback"],
                },
            ],
        },
    )
]
gateways = auth_servers
state = auth_servers
