"""The kernel's network settings: each value with the control it serves and its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

_SCOPES = ("*", "all", "default")


@dataclass(frozen=True)
class Setting:
    """`key` as in sysctl.d(5); one with `*` stands for every key that it matches.

    `stricter` says on which side of `value` a host's own is stricter, and is kept. Without it no
    other value is: ours is the strictest, or the inventory's, which is meant as it stands.
    """

    key: str
    value: int
    control: str
    reason: str
    stricter: Literal["above", "below"] | None = None

    def yields_to(self, value: int) -> bool:
        """Whether the host's own `value` protects more than this one."""
        above, below = self.stricter == "above", self.stricter == "below"
        return (above and value > self.value) or (below and value < self.value)

    @property
    def of_conntrack(self) -> bool:
        return proc_path(self.key).startswith(_NETFILTER)


_NETFILTER = "/proc/sys/net/netfilter/"


def _in_each_scope(
    protocol: str,
    name: str,
    value: int,
    control: str,
    why: str,
    stricter: Literal["above", "below"] | None = None,
) -> list[Setting]:
    """The setting for interfaces that exist (`*`), for all, and for those to come (`default`).

    `all` alone does not reach an interface that exists: IPv4 takes an interface's own
    accept_redirects and send_redirects as well, and IPv6 looks at nothing else.
    """
    return [
        Setting(f"net.{protocol}.conf.{scope}.{name}", value, control, why, stricter)
        for scope in _SCOPES
    ]


_COOKIES = "connections go on when the queue of half-open ones is full (RFC 4987 §3.6)"
_STAMPS = "SYN cookies keep window scale and SACK in the timestamp: without it they are lost"
_QUEUE = "half-open connections that a listener keeps before cookies take over"
_BACKLOG = "finished connections that wait to be accepted; the listeners ask for as many"
_RETRIES = "a half-open connection is given up after 15 seconds, and not after 63"
_REDIRECT = "a forged ICMP redirect must not reroute traffic"
_ROUTER = "this host is no router and has no better route to tell of"
_FILTER = "a packet whose answer would leave by another interface is forged (RFC 3704 §2.2)"
_ROUTE = "the sender must not choose the packet's way (RFC 7126 §4.3)"
_MARTIAN = "packets with impossible addresses leave a trace"
_BROADCAST = "one ping to everybody must not make this host answer a forged sender (RFC 2644)"
_BOGUS = "errors in answer to a broadcast break RFC 1122 §3.2.2, and would only fill the log"
_RESET = "a late reset must not end the wait that keeps old segments out (RFC 1337 §3)"
_TABLE = "connections that are tracked; when the table is full, new ones are dropped"
_HALF = "tracked no longer than twice what the kernel waits for the handshake's end"
_GONE = "whose peer vanished leaves after a day, not after five (RFC 5382 §5: 2 h 4 min or more)"

SETTINGS = (
    Setting("net.ipv4.tcp_syncookies", 1, "NET-01", _COOKIES),
    Setting("net.ipv4.tcp_timestamps", 1, "NET-01", _STAMPS),
    Setting("net.ipv4.tcp_max_syn_backlog", 4096, "NET-02", _QUEUE, "above"),
    Setting("net.core.somaxconn", 4096, "NET-02", _BACKLOG, "above"),
    Setting("net.ipv4.tcp_synack_retries", 3, "NET-02", _RETRIES, "below"),
    *_in_each_scope("ipv4", "accept_redirects", 0, "NET-03", _REDIRECT),
    *_in_each_scope("ipv4", "secure_redirects", 0, "NET-03", _REDIRECT),
    *_in_each_scope("ipv6", "accept_redirects", 0, "NET-03", _REDIRECT),
    *_in_each_scope("ipv4", "send_redirects", 0, "NET-03", _ROUTER),
    *_in_each_scope("ipv4", "rp_filter", 1, "NET-04", _FILTER),
    *_in_each_scope("ipv4", "accept_source_route", 0, "NET-05", _ROUTE),
    # Below 0 the kernel takes no routing header at all, at 0 that of Mobile IPv6.
    *_in_each_scope("ipv6", "accept_source_route", 0, "NET-05", _ROUTE, "below"),
    *_in_each_scope("ipv4", "log_martians", 1, "NET-06", _MARTIAN),
    Setting("net.ipv4.icmp_echo_ignore_broadcasts", 1, "NET-10", _BROADCAST),
    Setting("net.ipv4.icmp_ignore_bogus_error_responses", 1, "NET-10", _BOGUS),
    Setting("net.ipv4.tcp_rfc1337", 1, "NET-10", _RESET),
    Setting("net.netfilter.nf_conntrack_max", 262144, "NET-02", _TABLE, "above"),
    Setting("net.netfilter.nf_conntrack_tcp_timeout_syn_recv", 30, "NET-02", _HALF, "below"),
    Setting("net.netfilter.nf_conntrack_tcp_timeout_established", 86400, "NET-02", _GONE, "below"),
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
