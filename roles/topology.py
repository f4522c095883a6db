"""Who does what among the hosts of an inventory: servers, gateways, and the one with the state.

A host that is all three is on its own, and needs nobody. Otherwise all hosts of the inventory are
one fleet: its servers share the Redis of one host, sign for one issuer, and know each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roles.hostdata.certificates import AcmeData, LocalCaData
from roles.hostdata.host import HostData
from roles.platform import Platform

SERVERS, GATEWAYS, STATE = GROUPS = ("auth_servers", "gateways", "state")
REDIS_PORT = 6379

# What the server takes for the name of a fleet's host.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Member:
    """`address` is where the other hosts reach it."""

    name: str
    address: str

    @property
    def in_url(self) -> str:
        return f"[{self.address}]" if ":" in self.address else self.address


@dataclass(frozen=True)
class Fleet:
    servers: tuple[Member, ...]
    gateways: tuple[Member, ...]
    state: Member

    @property
    def distant_servers(self) -> tuple[Member, ...]:
        """Those that reach Redis over the network."""
        return tuple(server for server in self.servers if server != self.state)

    @property
    def distant_gateways(self) -> tuple[Member, ...]:
        """Those that reach a server over the network, also their own host's among several."""
        return tuple(gateway for gateway in self.gateways if self.servers != (gateway,))


@dataclass(frozen=True)
class Place:
    """What a host is; `fleet` is None for one on its own."""

    name: str
    is_server: bool = True
    is_gateway: bool = True
    is_state: bool = True
    fleet: Fleet | None = None

    @property
    def store(self) -> Member | None:
        """Where the server's Redis is, or None for this host's own."""
        return None if self.fleet is None or self.is_state else self.fleet.state

    @property
    def redis_clients(self) -> tuple[Member, ...]:
        return self.fleet.distant_servers if self.fleet and self.is_state else ()

    @property
    def upstreams(self) -> tuple[Member, ...]:
        """The servers that the gateway leads to, or none where it is this host's own alone."""
        if self.fleet is None or self.name not in {one.name for one in self.fleet.distant_gateways}:
            return ()
        return self.fleet.servers

    @property
    def proxies(self) -> tuple[Member, ...]:
        """Whom the server believes whose request it is."""
        return self.fleet.distant_gateways if self.fleet else ()


def places(
    groups: Mapping[str, frozenset[str]], data: Mapping[str, HostData]
) -> tuple[dict[str, Place], list[str]]:
    """Each host's place, and every rule that the groups break, a line each.

    `groups` are those of GROUPS that each host is in. `data` lacks the hosts whose data is refused.
    """
    named = {group for each in groups.values() for group in each}
    if all(each == named for each in groups.values()):
        return {name: Place(name) for name in groups}, []
    faults = [f"{name}: groups: is in none of {', '.join(GROUPS)}"
              for name, each in groups.items() if not each]  # fmt: skip
    members = {group: [name for name in groups if group in groups[name]] for group in GROUPS}
    faults += [
        f"groups: {group}: has no host, and not every host is in each group that is named"
        for group in GROUPS
        if not members[group]
    ]
    if len(members[STATE]) > 1:
        faults.append(f"groups: state: must be one host, and is {', '.join(members[STATE])}")
    faults += _of_the_data(groups, data)
    if faults or len(data) < len(groups):
        return {}, faults
    fleet = _fleet(members, data)
    return {
        name: Place(name, SERVERS in each, GATEWAYS in each, STATE in each, fleet)
        for name, each in groups.items()
    }, []


def _fleet(members: Mapping[str, Sequence[str]], data: Mapping[str, HostData]) -> Fleet:
    def of(group: str) -> tuple[Member, ...]:
        return tuple(Member(name, str(data[name].address)) for name in members[group])

    (state,) = of(STATE)
    return Fleet(of(SERVERS), of(GATEWAYS), state)


def _of_the_data(groups: Mapping[str, frozenset[str]], data: Mapping[str, HostData]) -> list[str]:
    faults = []
    for name, host in data.items():
        if not _NAME.fullmatch(name):
            faults.append(f"{name}: the name must be letters, digits, dots, hyphens and _")
        if host.address is None:
            faults.append(f"{name}: address: is missing; the fleet's other hosts need it")
        if isinstance(host.certificates, AcmeData):
            faults.append(f"{name}: certificates: acme is for a host on its own, not for a fleet")
    addresses = [host.address for host in data.values() if host.address]
    if twice := sorted({address for address in addresses if addresses.count(address) > 1}):
        faults.append(f"address: {', '.join(twice)} is that of several hosts")
    issuers = sorted({host.oauth_server.issuer for host in data.values()})
    if len(issuers) > 1:
        faults.append(f"oauth_server.issuer: a fleet has one, and not {', '.join(issuers)}")
    elif issuers and re.fullmatch(r"https://[0-9.]+", issuers[0]):
        # nginx compares what it verifies with DNS names alone.
        faults.append("oauth_server.issuer: must be a name in a fleet, whose hosts verify it")
    servers = [data[name] for name in data if SERVERS in groups[name]]
    faults += [
        f"{key}: must be the same on all of auth_servers"
        for key in ("clients", "users")
        if any(getattr(host, key) != getattr(servers[0], key) for host in servers)
    ]
    if any(_but_trust(host) != _but_trust(servers[0]) for host in servers):
        faults.append("oauth_server: must be the same on all of auth_servers, but trusted_proxies")
    return faults


def _but_trust(host: HostData) -> object:
    # A token is each host's own, and so may the algorithm be.
    return host.oauth_server.model_copy(
        update={"trusted_proxies": (), "pkcs11": None, "releases_kept": 1}
    )


def ca_file(data: HostData, platform: Platform) -> str:
    """On a host: the CAs by which its fleet's other hosts are known."""
    if isinstance(data.certificates, LocalCaData):
        return "/etc/oauth2/certs/ca.pem"
    if platform.is_el:
        return "/etc/pki/tls/certs/ca-bundle.crt"
    return "/etc/ssl/certs/ca-certificates.crt"
