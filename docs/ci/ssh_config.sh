#!/usr/bin/env bash
# Write DIRECTORY/config: how ssh reaches ADDRESS as USER, by the name `machine`, with the key and the
# known host keys that lie in DIRECTORY.
set -euo pipefail
[ $# = 3 ] || { echo "usage: $0 DIRECTORY ADDRESS USER" >&2; exit 2; }
cat > "$1/config" <<EOF
Host machine $2
    HostName $2
    User $3
    IdentityFile "$1/key"
    IdentitiesOnly yes
    UserKnownHostsFile "$1/known_hosts"
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    BatchMode yes
EOF
