"""Kernel settings for the network: in one drop-in that wins, and live."""

from __future__ import annotations

from pyinfra import host
from pyinfra.api import deploy

from roles.errors import DeployError
from roles.files import managed_file, render
from roles.hostdata.services import SysctlData
from roles.questions import rehearsing
from roles.sysctl.facts import LiveSettings, OwnConntrack, matching
from roles.sysctl.keeping import DROP_IN, OwnValues, is_kept, keeping
from roles.sysctl.operations import applied
from roles.sysctl.settings import SETTINGS, Setting, chosen, proc_path
from roles.sysctl.ufw import UfwSysctlFile, agreeing

_RULE = "/etc/udev/rules.d/99-portcullis-conntrack.rules"


@deploy("sysctl")
def sysctl(data: SysctlData) -> None:
    settings = chosen(data.values)
    live = host.get_fact(LiveSettings, paths=[proc_path(setting.key) for setting in settings])
    missing = _missing(settings, live) + _locked(settings)
    present = keeping(
        [setting for setting in settings if setting not in missing],
        live,
        own=host.get_fact(OwnValues),
    )
    _report(present, missing)
    # The kernel is the checker: what it refuses must not wait in a file for the next boot.
    applied(name="Apply the kernel settings [NET-07]", settings=present)
    managed_file(
        name="Write zz-portcullis.conf [NET-07]",
        path=DROP_IN,
        content=render("sysctl/zz-portcullis.conf.j2", settings=present, missing=missing),
    )
    if any(setting.of_conntrack for setting in present):
        # At boot sysctl.d is read before a firewall loads the module, which brings these keys.
        managed_file(
            name="Have conntrack's sizes set when it is loaded [NET-07]",
            path=_RULE,
            content=render("sysctl/99-portcullis-conntrack.rules.j2"),
        )
    theirs = host.get_fact(UfwSysctlFile)
    if theirs and (text := agreeing(theirs.text, present)) != theirs.text:
        managed_file(
            name="Let ufw apply no other values at its start [NET-07]",
            path=theirs.path,
            content=text,
            user=theirs.user,
            group=theirs.group,
            mode=theirs.mode,
        )


def _missing(settings: list[Setting], live: dict[str, str]) -> list[Setting]:
    """Ours that this kernel does not have, such as IPv6's where it is switched off.

    Raises DeployError for one that the inventory asks for: it is misspelt, or its module is not
    loaded.
    """
    missing = [setting for setting in settings if not matching(live, proc_path(setting.key))]
    ours = {setting.key for setting in SETTINGS}
    if unknown := [setting.key for setting in missing if setting.key not in ours]:
        raise DeployError(
            f"{host.name}: sysctl.values: this host's kernel has no {', '.join(unknown)}"
        )
    # Conntrack's come with its module, which a firewall loads.
    return [setting for setting in missing if not setting.of_conntrack]


def _locked(settings: list[Setting]) -> list[Setting]:
    """Conntrack's, where they are not this host's to set."""
    own = host.get_fact(OwnConntrack)
    return [setting for setting in settings if setting.of_conntrack and not own]


def _report(settings: list[Setting], missing: list[Setting]) -> None:
    if rehearsing():
        return
    for setting in settings:
        if is_kept(setting):
            host.log(f"sysctl: {setting.key} = {setting.value}: {setting.reason}")
    if any(setting.of_conntrack for setting in missing):
        host.log("sysctl: conntrack's sizes are skipped: they are the machine's, not this host's")
