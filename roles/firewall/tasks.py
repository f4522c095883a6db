"""The host's firewall: clients get in to what is served here, each within its limits.

What is on is used. One table is ours, the same on all systems; nobody else's rule is touched.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyinfra import host, logger
from pyinfra.api import deploy

from roles.firewall.firewalld import firewalld_enabled, firewalld_ports_open, firewalld_started
from roles.firewall.policy import Keeper, closed, keeper, openings, table
from roles.firewall.survey import FirewallSurvey, Listener, SshPort
from roles.firewall.table import table_kept, table_loaded
from roles.firewall.ufw import UfwRules, check_ufw, ufw_ports_open, ufw_switched_on
from roles.hostdata.firewall import FirewallData
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
    ports = tuple(one.port for one in wanted if one.protocol == "tcp")
    survey = host.get_fact(FirewallSurvey)
    came_by = host.get_fact(SshPort, _sudo=False)
    ssh = tuple(sorted({*survey.ssh, *([came_by] if came_by else [])})) or (22,)
    ufw_is_on = not platform.is_el and host.get_fact(UfwRules) is not None
    kept_by = keeper(survey, platform, close=data.close, ufw_is_on=ufw_is_on)
    is_new = {
        Keeper.OURS: not survey.entrance,
        Keeper.UFW: not ufw_is_on,
        Keeper.FIREWALLD: not survey.firewalld,
    }
    if is_new.get(kept_by):
        _tell(closed(survey, wanted, ssh), kept_by)
    if platform.is_el:
        if kept_by is Keeper.FIREWALLD and data.close:
            firewalld_started(name="Start firewalld [NET-09]", ports=ports, ssh=ssh)
            firewalld_enabled(name="Start firewalld at each boot [NET-09]")
        firewalld_ports_open(name="Open the ports in firewalld [GW-02]", ports=ports)
    else:
        check_ufw(ports)
        if kept_by is Keeper.UFW and data.close:
            ufw_switched_on(name="Switch ufw on [NET-09]", ports=ports, ssh=ssh)
        ufw_ports_open(name="Open the ports in ufw [GW-02]", ports=ports)
    fleet = place.fleet
    members = (*fleet.servers, *fleet.gateways, fleet.state) if fleet else ()
    text = table(
        wanted,
        data,
        exempt=(*data.unlimited, *(one.address for one in members)),
        tracks=survey.tracks,
        ssh=ssh if kept_by is Keeper.OURS else None,
    )
    table_loaded(name="Load our own table [NET-08]", text=text)
    table_kept(text)


def _tell(heard_no_more: Iterable[Listener], kept_by: Keeper) -> None:
    shown = ", ".join(
        f"{one.port}/{one.protocol}{f' ({one.program})' if one.program else ''}"
        for one in heard_no_more
    )
    if shown and "told_of_closed_ports" not in host.connector_data:
        host.connector_data["told_of_closed_ports"] = True
        host.log(
            f"{kept_by.value} will close what listens on {shown}: what others need of it belongs "
            "into the inventory (firewall.open)",
            logger.warning,
        )
