"""The host's own firewall: clients get in to what is served here, and to nothing else.

A firewall that does not run is left as it is, and no rule of anybody else's is touched.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyinfra.api import deploy

from roles.firewall.firewalld import firewalld_ports_open
from roles.firewall.ufw import check_ufw, ufw_ports_open
from roles.platform import Platform
from roles.topology import REDIS_PORT, Place

GATEWAY_PORT = 443
SERVER_PORT = 8443


@deploy("firewall")
def firewall(platform: Platform, place: Place, more: tuple[int, ...] = ()) -> None:
    """`more` are ports that only some hosts have open.

    Raises DeployError, before any host is changed, for a ufw that can't be told.
    """
    ports = (*_ports(place), *more)
    if platform.is_el:
        firewalld_ports_open(name="Open the ports in firewalld [GW-02]", ports=ports)
    else:
        check_ufw(ports)
        ufw_ports_open(name="Open the ports in ufw [GW-02]", ports=ports)


def _ports(place: Place) -> Iterator[int]:
    if place.is_gateway:
        yield GATEWAY_PORT
    if place.is_server:
        yield SERVER_PORT
    if place.redis_clients:
        # Redis' unit lets the fleet's servers in alone.
        yield REDIS_PORT
