"""A fleet on a lab of three hosts: two servers, and before them one host that is gateway and state.

The lab is the one that PORTCULLIS_LAB_JSON names, as for the lab's own inventory.
"""

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

auth_servers = _members[:2]
gateways = _members[2:3]
state = _members[2:3]
