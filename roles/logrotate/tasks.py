"""logrotate: the server's log, a file a day."""

from __future__ import annotations

from pyinfra.api import deploy

from roles.files import managed_file, render
from roles.hostdata import LogrotateData
from roles.logrotate.layout import LAYOUTS
from roles.platform import Platform
from roles.services import running


@deploy("logrotate")
def logrotate(data: LogrotateData, platform: Platform) -> None:
    managed_file(
        name="Write oauth-server's rotation [LOG-02]",
        path="/etc/logrotate.d/oauth-server",
        content=render("logrotate/oauth-server.j2", keep=data.keep, su=LAYOUTS[platform].su),
        check='logrotate --debug "$candidate" > /dev/null',
    )
    running(name="Run the daily rotation [LOG-02]", service="logrotate.timer", feeds=[])
