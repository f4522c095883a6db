"""The state of a host, as far as two hosts deployed alike must have it in common.

All files of the host with type, owner, mode and content, the packages, units, accounts and live
kernel settings; less what differs by nature, which is listed here with the reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tests.lab.fixtures import RunningLab

_COLLECT = r"""
cd /
find . -xdev -path ./proc -prune -o -path ./sys -prune -o -path ./dev -prune -o -path ./run -prune \
  -o -printf 'file %P %y %m %u:%g %l\n'
find etc opt usr/local var/lib home root -xdev -type f -print0 | xargs -0 sha256sum |
  sed -E 's/^([0-9a-f]+)  (.*)/content \2 \1/'
dpkg-query -W -f 'package ${Package} ${Version} ${Status}\n'
getent passwd | cut -d: -f1,5- | sed 's/^/account /'
getent group | cut -d: -f1,4 | sed 's/^/group /'
systemctl list-unit-files --no-legend --plain | awk '{print "unit-file", $1, $2}'
systemctl list-units --all --no-legend --plain --type=service,socket,timer |
  awk '$2 != "not-found" {print "unit", $1, $3}'
grep -r . /proc/sys/net/ipv4 /proc/sys/net/ipv6 /proc/sys/net/core 2>/dev/null |
  sed 's/^/kernel /'
"""


# What two hosts cannot have in common, however alike they are.
_BY_NATURE = (
    (re.compile(r"(etc/oauth2/keys/ring/)[\w-]{43}"), r"\1KID"),
    (re.compile(r"(l 777 oauth_user:oauth_group )[\w-]{43}$"), r"\1KID"),
    (re.compile(r"\bpair-\w{8}\b"), "pair-NEW"),
    # When a package's last script wrote what was kept.
    (re.compile(r"(var/lib/portcullis/backups/\S+\.)\d{8}T\d{6}Z"), r"\1TIME"),
)
_CONTENT_BY_NATURE = (
    "etc/oauth2/certs/",
    "etc/oauth2/keys/ring/",
    "etc/oauth2/redis.password",
    "etc/redis/users.acl",  # the password's hash
    "var/lib/oauth-server/served.json",  # kids and times
    "var/lib/fail2ban/fail2ban.sqlite3",  # times, and the address of who deploys
    "var/lib/portcullis/written/etc/redis/users.acl",
    # Digests of the files above, each checked by the next run itself: it must have nothing to do.
    "var/lib/portcullis/applied/nginx.service",
    "var/lib/portcullis/applied/oauth-server.service",
    "var/lib/portcullis/applied/redis-server.service",
)
_LEFT_OUT = re.compile(
    "|".join(
        (
            r"file var/log/journal/.",
            r"file (var/)?tmp/systemd-private-",  # one a start of a unit
            r"(file|content) var/lib/redis/.",  # what it holds, in files numbered by its starts
            # The package's own script keeps what a full disk makes of it; ours names no keys.
            r"(file|content) etc/chrony/chrony\.keys",
            r"(file|content) var/lib/chrony/(chrony\.)?drift",  # what it measured, if it had time
            r"file var/cache/apt/.",  # what it had to fetch, and pieces of its index
            r"(file|content) var/lib/apt/extended_states\.\w{6} ",  # apt's, when it could not write
            r"content var/lib/dpkg/status-old",  # from before its last step
            r"unit(-file)? session-\d+\.scope",
        )
    )
)


def of(lab: RunningLab) -> list[str]:
    """The host's state, sorted, a line for each thing: what there is twice is in it twice."""
    collected = lab.ssh("sudo sh -c '" + _COLLECT.replace("'", "'\\''") + "'")
    assert collected.returncode == 0, collected.stderr
    return sorted(_lines(collected.stdout))


def _lines(collected: str) -> Iterator[str]:
    for line in collected.splitlines():
        if _LEFT_OUT.match(line):
            continue
        if line.startswith("content ") and line.split()[1].startswith(_CONTENT_BY_NATURE):
            continue
        for pattern, common in _BY_NATURE:
            line = pattern.sub(common, line)
        yield line


def differences(expected: list[str], found: list[str]) -> list[str]:
    """The lines that one of the two has more often, a minus for what is missing first."""
    missing, added = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    return [
        *(f"- {line}" for line in missing.elements()),
        *(f"+ {line}" for line in added.elements()),
    ]
