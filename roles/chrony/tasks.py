"""chrony: tokens and certificates are as right as the clock is."""

from __future__ import annotations

from pyinfra.api import deploy

from roles.chrony.layout import LAYOUTS
from roles.drop_ins import drop_in
from roles.files import managed_file, render
from roles.hostdata.services import ChronyData
from roles.platform import Platform
from roles.services import running
from roles.units import VERIFY

_REPORTER = "/etc/systemd/system/oauth-clock.service"


@deploy("chrony")
def chrony(data: ChronyData, platform: Platform, reported: bool) -> None:
    """`reported`: the server on this host is told how the clock is."""
    layout = LAYOUTS[platform]
    config = managed_file(
        name="Write chrony.conf [TIME-01]",
        path=layout.config,
        content=render("chrony/chrony.conf.j2", data=data, layout=layout),
        # -p prints what was read and exits; what it doesn't know is an error.
        check='chronyd -p -f "$candidate" > /dev/null',
    )
    defaults = managed_file(
        name="Write chronyd's options [TIME-02]",
        path=layout.defaults,
        content=render("chrony/chronyd.j2", layout=layout, steer_clock=data.steer_clock),
    )
    confined = drop_in(
        layout.service,
        render("chrony/portcullis.conf.j2", steer_clock=data.steer_clock, systemd=platform.systemd),
        of="chrony's",
        control="SANDBOX-02",
    )
    running(
        name="Run chrony [TIME-02]",
        service=layout.service,
        feeds=[layout.config, layout.defaults, confined.path],
        after=(config, defaults, confined.written),
    )
    if reported:
        reporter = managed_file(
            name="Write oauth-clock.service [TIME-04]",
            path=_REPORTER,
            content=render(
                "chrony/oauth-clock.service.j2",
                service=layout.service,
                account=layout.account,
                systemd=platform.systemd,
            ),
            check=VERIFY,
        )
        running(
            name="Report the clock's state [TIME-04]",
            service="oauth-clock.service",
            feeds=[_REPORTER],
            after=(reporter,),
        )
