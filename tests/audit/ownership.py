"""Who could change or replace a file: its owner and mode, and those of each directory above it."""

from __future__ import annotations

from collections.abc import Mapping

# Where the service account's own files are; everywhere else all is root's.
OF_THE_SERVICE = (
    "/etc/oauth2/certs",
    "/etc/oauth2/keys",
    "/var/lib/oauth-server",
    "/var/log/oauth_server.log",
)
# A distribution's own, by path and state. Debian's staff has no member unless somebody adds one.
# Ubuntu lets rsyslog's account, which writes every log of the host, make files in /var/log.
KNOWN = {
    "/usr/local": "root:staff 2775",
    "/usr/local/bin": "root:staff 2775",
    "/var/log": "root:syslog 0775",
}

_WALK = """\
for path in {paths}; do
  test -e "$path" || continue
  find "$path" ! -type l
  for start in "$path" "$(readlink -f "$path")"; do
    above=$start
    while test "$above" != /; do above=${{above%/*}}; above=${{above:-/}}; echo "$above"; done
    echo "$start"
  done
done | sort -u | tr '\\n' '\\0' | xargs -0 stat -c '%n|%U:%G %04a %F'"""


def walk(*paths: str) -> str:
    """A question for the state of all that is at or below `paths`, and above, links followed too.

    A path is a word of the shell, which may have a pattern or a variable; one that is missing says
    nothing. The access control list of a file that has one shows as its group's rights.
    """
    return _WALK.format(paths=" ".join(paths))


def replaceable(states: Mapping[str, str]) -> dict[str, str]:
    """Of these, what somebody beside root, or the service account in its places, can change."""
    return {path: state for path, state in states.items() if _open(path, state)}


def _open(path: str, state: str) -> bool:
    if "symbolic link" in state:  # whoever can write to its directory can change it, and no other
        return False
    owners, mode, *_ = state.split(" ")
    if KNOWN.get(path) == f"{owners} {mode}":
        return False
    owner = owners.partition(":")[0]
    trusted = {"root", "oauth_user"} if path.startswith(OF_THE_SERVICE) else {"root"}
    return owner not in trusted or bool(int(mode, 8) & 0o022)
