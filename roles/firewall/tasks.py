"""The host's firewall: clients get in to what is served here, each within its limits.

What is on is used. One table is ours, the same on all systems; nobody else's rule is touched.
"""

from __future__ import annotations

from pyinfra import host
from pyinfra.api import deploy

from roles.firewall.firewalld import firewalld_ports_open
from roles.firewall.policy import Opening, openings, table
from roles.firewall.survey import FirewallSurvey
from roles.firewall.table import table_kept, table_loaded
from roles.firewall.ufw import check_ufw, ufw_ports_open
from roles.firewall_data import FirewallData
from roles.platform import Platform
from roles.topology import Place


@deploy("firewall")
def firewall(
    platform: Platform, place: Place, data: FirewallData, more: tuple[int, ...] = ()
) -> None:
    """`more` are ports that only some hosts have open.

    Raises DeployError, before any host is changed, for a ufw that can't be told.
    """
    wanted = openings(place, data, more)
    survey = host.get_fact(FirewallSurvey)
    _told(platform, wanted)
    fleet = place.fleet
    members = (*fleet.servers, *fleet.gateways, fleet.state) if fleet else ()
    text = table(
        wanted,
        data,
        exempt=(*data.unlimited, *(one.address for one in members)),
        tracks=survey.tracks,
        ssh=None,
    )
    table_loaded(name="Load our own table [NET-08]", text=text)
    table_kept(text)


def _told(platform: Platform, wanted: list[Opening]) -> None:
    """The firewall of the distribution's, if it is on, of TCP: our table says from where."""
    ports = tuple(one.port for one in wanted if one.protocol == "tcp")
    if platform.is_el:
        firewalld_ports_open(name="Open the ports in firewalld [GW-02]", ports=ports)
    else:
        check_ufw(ports)
        ufw_ports_open(name="Open the ports in ufw [GW-02]", ports=ports)
