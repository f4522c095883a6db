"""Who keeps the host's entrance, and the table of ours: worked out here, without a host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from roles.files import render
from roles.firewall.survey import Listener, Survey
from roles.hostdata.firewall import FirewallData
from roles.platform import Platform
from roles.topology import REDIS_PORT, Place

GATEWAY_PORT = 443
SERVER_PORT = 8443
PLAIN_PORT = 8080
ACME_PORT = 80

# Which bit of a connection's label says that it was counted: no other program is known to use it.
_LABEL = 120
# Seconds of the rate that may come at once: a client program that starts opens all it needs.
_BURST = 5
# What a host asks by broadcast is answered to these.
_LEASES = (68, 546)


class Keeper(Enum):
    """What closes all that is not open."""

    OURS = "our own table"
    UFW = "ufw"
    FIREWALLD = "firewalld"
    OTHERS = "others' rules"


def keeper(survey: Survey, platform: Platform, *, close: bool, ufw_is_on: bool) -> Keeper:
    """What is on is used, and rules of others that close everything else are enough.

    A host with nothing gets what its distribution has.
    """
    if ufw_is_on and not platform.is_el:
        return Keeper.UFW
    if survey.firewalld:
        return Keeper.FIREWALLD
    if not close or survey.drops:
        return Keeper.OTHERS
    if platform is Platform.DEBIAN_12:
        return Keeper.OURS
    return Keeper.FIREWALLD if platform.is_el else Keeper.UFW


def packages(platform: Platform, data: FirewallData) -> tuple[str, ...]:
    """What closes a host that nothing else closes; nftables is everywhere."""
    if not data.close or platform is Platform.DEBIAN_12:
        return ()
    return ("firewalld",) if platform.is_el else ("ufw",)


@dataclass(frozen=True)
class Networks:
    """Without overlaps, which nftables refuses in a set."""

    v4: list[str]
    v6: list[str]

    @staticmethod
    def of(named: Iterable[str]) -> Networks:
        networks = [ip_network(one) for one in named]
        four = collapse_addresses(one for one in networks if isinstance(one, IPv4Network))
        six = collapse_addresses(one for one in networks if isinstance(one, IPv6Network))
        return Networks([str(one) for one in four], [str(one) for one in six])


@dataclass(frozen=True)
class Opening:
    """A port that is open; without `sources` to everybody."""

    port: int
    protocol: str = "tcp"
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entrance:
    """What our own table lets in, by protocol."""

    tcp: list[int] = field(default_factory=list)
    udp: list[int] = field(default_factory=list)


def openings(place: Place, data: FirewallData, more: Sequence[int] = ()) -> list[Opening]:
    """What clients come in by; `more` are ports that only some hosts have open."""
    found = [Opening(port) for port in more]
    if place.is_gateway:
        found.append(Opening(GATEWAY_PORT))
    if place.is_server:
        gateways = [one.address for one in place.proxies if data.server_sources]
        found.append(Opening(SERVER_PORT, sources=(*data.server_sources, *gateways)))
    if place.redis_clients:
        clients = tuple(one.address for one in place.redis_clients)
        found.append(Opening(REDIS_PORT, sources=clients))
    named = {(one.port, one.protocol) for one in found}
    found += [
        Opening(one.port, one.protocol, one.sources)
        for one in data.open
        if (one.port, one.protocol) not in named
    ]
    return found


def table(
    wanted: Sequence[Opening],
    data: FirewallData,
    *,
    exempt: Sequence[str],
    tracks: bool,
    ssh: Sequence[int] | None,
) -> str:
    """The text of our table; `ssh` are sshd's ports if it is the one that keeps the entrance.

    `tracks` leaves conntrack to know a connection from its first packet: open ones are then not
    counted, because whoever forges those packets would fill another's number.
    """
    served = (GATEWAY_PORT, SERVER_PORT, PLAIN_PORT, ACME_PORT)
    return render(
        "firewall/portcullis.nft.j2",
        limited=sorted(one.port for one in wanted if one.protocol == "tcp" and one.port in served),
        rate=data.new_connections_per_second,
        burst=data.new_connections_per_second * _BURST,
        connections=data.connections_per_source,
        untracked=not tracks,
        label=_LABEL,
        unlimited=Networks.of(exempt),
        only=[(one.protocol, one.port, Networks.of(one.sources)) for one in wanted if one.sources],
        entrance=None if ssh is None else _entrance(wanted, ssh),
    )


def _entrance(wanted: Sequence[Opening], ssh: Sequence[int]) -> Entrance:
    tcp = {one.port for one in wanted if one.protocol == "tcp"}
    udp = {one.port for one in wanted if one.protocol == "udp"}
    return Entrance(sorted(tcp.union(ssh)), sorted(udp))


def closed(survey: Survey, wanted: Sequence[Opening], ssh: Sequence[int]) -> list[Listener]:
    """Who listens now and would be heard no more."""
    open_ = {(one.protocol, one.port) for one in wanted} | {("tcp", port) for port in ssh}
    return [
        one
        for one in survey.listeners
        if (one.protocol, one.port) not in open_
        and not (one.protocol == "udp" and one.port in _LEASES)
    ]
