"""The kernel's network settings: each value with the control it serves and its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_SCOPES = ("*", "all", "default")


@dataclass(frozen=True)
class Setting:
    """`key` as in sysctl.d(5); one with `*` stands for every key that it matches."""

    key: str
    value: int
    control: str
    reason: str


def _in_each_scope(protocol: str, name: str, value: int, control: str, why: str) -> list[Setting]:
    """The setting for interfaces that exist (`*`), for all, and for those to come (`default`).

    `all` alone does not reach an interface that exists: IPv4 takes an interface's own
    accept_redirects and send_redirects as well, and IPv6 looks at nothing else.
    """
    return [Setting(f"net.{protocol}.conf.{s}.{name}", value, control, why) for s in _SCOPES]


_COOKIES = "connections go on when the queue of half-open ones is full (RFC 4987 §3.6)"
_STAMPS = "SYN cookies keep window scale and SACK in the timestamp: without it they are lost"
_QUEUE = "half-open connections that a listener keeps before cookies take over"
_BACKLOG = "finished connections that wait to be accepted; the listeners ask for as many"
_REDIRECT = "a forged ICMP redirect must not reroute traffic"
_ROUTER = "this host is no router and has no better route to tell of"
_FILTER = "a packet whose answer would leave by another interface is forged (RFC 3704 §2.2)"
_ROUTE = "the sender must not choose the packet's way (RFC 7126 §4.3)"
_MARTIAN = "packets with impossible addresses leave a trace"

SETTINGS = (
    Setting("net.ipv4.tcp_syncookies", 1, "NET-01", _COOKIES),
    Setting("net.ipv4.tcp_timestamps", 1, "NET-01", _STAMPS),
    Setting("net.ipv4.tcp_max_syn_backlog", 4096, "NET-02", _QUEUE),
    Setting("net.core.somaxconn", 4096, "NET-02", _BACKLOG),
    *_in_each_scope("ipv4", "accept_redirects", 0, "NET-03", _REDIRECT),
    *_in_each_scope("ipv4", "secure_redirects", 0, "NET-03", _REDIRECT),
    *_in_each_scope("ipv6", "accept_redirects", 0, "NET-03", _REDIRECT),
    *_in_each_scope("ipv4", "send_redirects", 0, "NET-03", _ROUTER),
    *_in_each_scope("ipv4", "rp_filter", 1, "NET-04", _FILTER),
    *_in_each_scope("ipv4", "accept_source_route", 0, "NET-05", _ROUTE),
    *_in_each_scope("ipv6", "accept_source_route", 0, "NET-05", _ROUTE),
    *_in_each_scope("ipv4", "log_martians", 1, "NET-06", _MARTIAN),
)

_INVENTORY = "the inventory asks for it"


def chosen(overrides: Mapping[str, int]) -> list[Setting]:
    """Ours, with the inventory's values in their place or beside them.

    What has a `*` comes first, because a key that is named wins over one that is matched
    (sysctl.d(5)).
    """
    return sorted(_merged(overrides), key=lambda setting: "*" not in setting.key)


def _merged(overrides: Mapping[str, int]) -> Iterator[Setting]:
    named = {_dotted(key): value for key, value in overrides.items()}
    for setting in SETTINGS:
        value = named.pop(setting.key, None)
        if value is None or value == setting.value:
            yield setting
        else:
            yield Setting(setting.key, value, setting.control, _INVENTORY)
    for key, value in named.items():
        yield Setting(key, value, "NET-07", _INVENTORY)


def _dotted(key: str) -> str:
    """Let `net/ipv4/tcp_syncookies` be `net.ipv4.tcp_syncookies`; a name may have dots itself."""
    return key if "." in key else key.replace("/", ".")


def proc_path(key: str) -> str:
    """Where the kernel shows the key; the first separator tells which of the two it is."""
    separators = [character for character in key if character in "./"]
    if separators[:1] == ["."]:
        key = key.translate(str.maketrans("./", "/."))
    return f"/proc/sys/{key}"
