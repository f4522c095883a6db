"""A fleet on a lab: one host, the third, is gateway and state, and others are servers.

The lab is the one that PORTCULLIS_LAB_JSON names, as for the lab's own inventory. FLEET_SERVERS are
the numbers of the hosts that are servers; without it the first two are.
"""

import os

from inventories.lab import auth_servers as _hosts

ISSUER = "https://auth.example.net"

_common = {
    # ES256, for keys of 4096 bits would keep a busy machine waiting; caches that forget at once.
    "oauth_server": {
        "issuer": ISSUER,
        "signing_algorithm": "ES256",
        "jwks_cache_max": 5,
        "access_token_lifetime": 60,
        "clock_leeway": 5,
    }
}
_members = [(name, {**data, **_common, "address": data["ssh_hostname"]}) for name, data in _hosts]

auth_servers = [_members[int(at)] for at in os.environ.get("FLEET_SERVERS", "0,1").split(",")]
gateways = _members[2:3]
state = _members[2:3]
