"""What lies where in a keys directory, and with which mode."""

RING = "ring"
ACTIVE = "active"
"""In the ring, a symbolic link to the key that signs."""

PRIVATE = "private.pem"
PUBLIC = "public.pem"
TOKEN_URI = "pkcs11.uri"  # noqa: S105 - a file's name
"""In the place of private.pem: RFC 7512's URI of a key on a token, without the PIN."""

TIMES = "times.json"
REMOVED = "removed.json"

SHORTCUTS = {"private_key.pem": PRIVATE, "public_key.pem": PUBLIC}

UNFINISHED = ".new-"
GONE = ".gone-"
"""Names in the ring that begin with a dot are no keys: being made, or being removed."""

MODES = {PRIVATE: 0o600, PUBLIC: 0o644, TOKEN_URI: 0o644, TIMES: 0o644}
