"""Which value of a kernel setting wins at the next boot (sysctl.d(5))."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

# For each number whether its limit is the most (else the least) that it may be; beyond it a host
# is stricter than it has to be.
LIMITS = {
    "net/ipv4/tcp_max_syn_backlog": (False, 4096),
    "net/core/somaxconn": (False, 4096),
    "net/ipv4/tcp_synack_retries": (True, 3),
    "net/netfilter/nf_conntrack_max": (False, 262144),
    "net/netfilter/nf_conntrack_tcp_timeout_syn_recv": (True, 30),
    "net/netfilter/nf_conntrack_tcp_timeout_established": (True, 86400),
}


def holds(path: str, value: int) -> bool:
    """Whether a number is on the right side of its limit."""
    most, limit = LIMITS[path]
    return value <= limit if most else value >= limit


def as_required(path: str, value: str) -> str:
    """IPv6 knows what is stricter than no source routes: a negative value, no routing header."""
    routes = path.startswith("net/ipv6/") and path.endswith("/accept_source_route")
    return "0" if routes and value.startswith("-") else value


def winners(lines: Iterable[str], keys: Iterable[str]) -> dict[str, str]:
    """The value that each of `keys` gets from configuration lines in the order they are read.

    The last assignment wins, but one that names its key beats any that matches it by a pattern.
    Keys that get no value are left out.
    """
    named: dict[str, str] = {}
    patterns: dict[str, str] = {}
    for line in lines:
        text = line.strip()
        if not text or text[0] in "#;" or "=" not in text:
            continue
        key, value = (part.strip() for part in text.removeprefix("-").split("=", 1))
        key = path_of(key)
        (patterns if "*" in key else named)[key] = value
    found = {}
    for wanted in keys:
        key = path_of(wanted)
        matching = [value for pattern, value in patterns.items() if _matches(key, pattern)]
        if key in named:
            found[wanted] = named[key]
        elif matching:
            found[wanted] = matching[-1]
    return found


def path_of(key: str) -> str:
    """`net.ipv4.tcp_syncookies` as in /proc/sys; the first separator tells which the other is."""
    separators = [character for character in key if character in "./"]
    return key.translate(str.maketrans("./", "/.")) if separators[:1] == ["."] else key


def _matches(key: str, pattern: str) -> bool:
    """`*` stands for one name and never for a slash."""
    return key.count("/") == pattern.count("/") and fnmatchcase(key, pattern)
