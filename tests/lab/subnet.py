"""The choice of a network for a lab that no route of the machine clashes with."""

import json
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from tests.lab.machine import LabError, run

# Private space (RFC 1918) in corners that few networks use; documented in docs/lab.md.
POOLS = (
    IPv4Network("10.213.0.0/16"),
    IPv4Network("172.30.0.0/16"),
    IPv4Network("192.168.224.0/19"),
)


def choose(taken: Iterable[IPv4Network]) -> IPv4Network:
    """Give the first /24 of the pools that overlaps with nothing taken."""
    occupied = list(taken)
    for pool in POOLS:
        for candidate in pool.subnets(new_prefix=24):
            if not any(candidate.overlaps(other) for other in occupied):
                return candidate
    pools = ", ".join(map(str, POOLS))
    raise LabError(f"every network of {pools} is in use by a route of this machine")


def routed() -> list[IPv4Network]:
    """List what the machine has a route to in any table, its default route apart."""
    routes = json.loads(run("ip", "-4", "-json", "route", "show", "table", "all"))
    destinations = (route["dst"] for route in routes)
    return [IPv4Network(dst) for dst in destinations if dst not in ("default", "0.0.0.0/0")]


def gateway(subnet: IPv4Network) -> IPv4Address:
    """Give the address that the machine itself has in a lab's network."""
    return subnet[1]


def address(subnet: IPv4Network, number: int) -> IPv4Address:
    """Give the address of the lab's host of that number, counted from 1."""
    return subnet[10 + number]
