"""Everything that can refuse a deploy, before any host is changed."""

from __future__ import annotations

import re
from weakref import WeakKeyDictionary

from pyinfra.api import Host, Inventory
from pyinfra.connectors.fake import FakeConnector
from pyinfra.connectors.ssh import SSHConnector

from roles import lock, sudo_password, topology
from roles.connection import losses_are_failures
from roles.facts import HostSystem
from roles.hostdata.check import HostDataError, validate
from roles.hostdata.host import HostData
from roles.platform import Target, UnsupportedPlatformError, identify
from roles.topology import Place

_CONNECTION_KEYS = frozenset(SSHConnector.data_meta) | frozenset(FakeConnector.data_meta)


def preflight(inventory: Inventory, host: Host) -> tuple[HostData, Target, Place]:
    """This host's checked data, what it is, and what it does among the others.

    The data of every host is checked, so that a fault in one stops the run for all.
    Raises HostDataError with all faults, SecretError or SudoError, LockError while another deploy
    is at work, or UnsupportedPlatformError.
    """
    faults, checked = [], {}
    for member in inventory:
        faults += _shown_passwords(member)
        try:
            checked[member.name] = _validated(member)
        except HostDataError as error:
            faults.append(str(error))
    groups = {
        member.name: frozenset(member.groups) & frozenset(topology.GROUPS) for member in inventory
    }
    found, amiss = topology.places(groups, checked)
    faults += amiss
    if not faults and found[host.name].fleet and not _all_take_part(inventory, host):
        faults.append("a fleet's hosts are deployed together: leave --limit out")
    if faults:
        raise HostDataError("\n".join(["the inventory is refused:", *faults]))
    data = checked[host.name]
    for member in inventory:
        sudo_password.given(member, checked[member.name].sudo_password)
    losses_are_failures(host)
    # Before the first fact: what is read must still be true when it is acted on.
    lock.hold(host.state)
    return data, _target(host), found[host.name]


def _all_take_part(inventory: Inventory, host: Host) -> bool:
    return all(host.state.is_host_in_limit(member) for member in inventory)


# Each host's turn checks them all.
_known: WeakKeyDictionary[Host, HostData] = WeakKeyDictionary()


def _validated(member: Host) -> HostData:
    if member not in _known:
        _known[member] = validate(member.name, member.data.dict(), connection_keys=_CONNECTION_KEYS)
    return _known[member]


def _shown_passwords(member: Host) -> list[str]:
    """What the commands on a host would show to everybody: pyinfra writes `_env` into each."""
    variables = member.data.get("_env")
    return [
        f"{member.name}: _env.{name}: must hold no password, which every account of the host could "
        "read: tell it to apt or dnf on the host"
        for name, value in (variables.items() if isinstance(variables, dict) else ())
        if re.search(r"://[^/@\s]*:[^/@\s]+@", str(value))
    ]


def _target(host: Host) -> Target:
    system = host.get_fact(HostSystem)
    try:
        target = identify(system.os_release, system.architecture, system.pythons, system.own_python)
    except UnsupportedPlatformError as error:
        raise UnsupportedPlatformError(f"{host.name}: {error}") from None
    if not system.systemd:
        raise UnsupportedPlatformError(
            f"{host.name}: systemd does not run there: a host must have been booted by it"
        )
    return target
