"""chrony: tokens and certificates are as right as the clock is."""

from __future__ import annotations

from pyinfra.api import deploy

from roles.chrony.layout import LAYOUTS
from roles.files import managed_file, render
from roles.hostdata import ChronyData
from roles.paths import Directory, directories
from roles.platform import Platform
from roles.services import drop_in_check, running


@deploy("chrony")
def chrony(data: ChronyData, platform: Platform) -> None:
    layout = LAYOUTS[platform]
    drop_ins = f"/etc/systemd/system/{layout.service}.d"
    drop_in = f"{drop_ins}/portcullis.conf"

    config = managed_file(
        name="Write chrony.conf [TIME-01]",
        path=layout.config,
        content=render("chrony/chrony.conf.j2", servers=data.servers, driftfile=layout.driftfile),
        # -p prints what was read and exits; what it doesn't know is an error.
        check='chronyd -p -f "$candidate" > /dev/null',
    )
    defaults = managed_file(
        name="Write chronyd's options [TIME-02]",
        path=layout.defaults,
        content=render("chrony/chronyd.j2", layout=layout, steer_clock=data.steer_clock),
    )
    directories(
        name="Make the directory of chrony's drop-ins [TIME-02]", wanted=[Directory(drop_ins)]
    )
    unit = managed_file(
        name="Write chrony's drop-in [TIME-02]",
        path=drop_in,
        content=render("chrony/portcullis.conf.j2", steer_clock=data.steer_clock),
        check=drop_in_check(layout.service),
    )
    running(
        name="Run chrony [TIME-02]",
        service=layout.service,
        feeds=[layout.config, layout.defaults, drop_in],
        after=(config, defaults, unit),
    )
