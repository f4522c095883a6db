"""Kernel settings for the network: in one drop-in that wins, and live."""

from __future__ import annotations

from pyinfra import host
from pyinfra.api import deploy

from roles.errors import DeployError
from roles.files import managed_file, render
from roles.hostdata import SysctlData
from roles.sysctl.facts import LiveSettings, matching
from roles.sysctl.operations import applied
from roles.sysctl.settings import SETTINGS, Setting, chosen, proc_path
from roles.sysctl.ufw import UfwSysctlFile, agreeing

# Files sort by name over all directories, and the last one wins: 99-sysctl.conf, which is
# /etc/sysctl.conf, would beat any number (sysctl.d(5)).
_DROP_IN = "/etc/sysctl.d/zz-portcullis.conf"


@deploy("sysctl")
def sysctl(data: SysctlData) -> None:
    settings = chosen(data.values)
    missing = _missing(settings)
    present = [setting for setting in settings if setting not in missing]
    # The kernel is the checker: what it refuses must not wait in a file for the next boot.
    applied(name="Apply the kernel settings [NET-07]", settings=present)
    managed_file(
        name="Write zz-portcullis.conf [NET-07]",
        path=_DROP_IN,
        content=render("sysctl/zz-portcullis.conf.j2", settings=present, missing=missing),
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


def _missing(settings: list[Setting]) -> list[Setting]:
    """Ours that this kernel does not have, such as IPv6's where it is switched off.

    Raises DeployError for one that the inventory asks for: it is misspelt, or its module is not
    loaded.
    """
    paths = [proc_path(setting.key) for setting in settings]
    live = host.get_fact(LiveSettings, paths=paths)
    missing = [
        setting for setting, path in zip(settings, paths, strict=True) if not matching(live, path)
    ]
    ours = {setting.key for setting in SETTINGS}
    if unknown := [setting.key for setting in missing if setting.key not in ours]:
        raise DeployError(
            f"{host.name}: sysctl.values: this host's kernel has no {', '.join(unknown)}"
        )
    return missing
