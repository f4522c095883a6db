"""logrotate: the server's log, a file a day."""

from __future__ import annotations

from pyinfra.api import deploy

from roles.files import managed_file, render
from roles.hostdata.services import LogrotateData
from roles.logrotate.layout import LAYOUTS
from roles.platform import Platform
from roles.services import running

# logrotate passes over what it can't read, says so, and ends with 0.
_CHECK = """\
said=$(logrotate --debug "$candidate" 2>&1 | grep '^error:') || said=
test -z "$said" || { echo "$said" >&2; exit 1; }"""


@deploy("logrotate")
def logrotate(data: LogrotateData, platform: Platform) -> None:
    managed_file(
        name="Write oauth-server's rotation [LOG-02]",
        path="/etc/logrotate.d/oauth-server",
        content=render("logrotate/oauth-server.j2", keep=data.keep, su=LAYOUTS[platform].su),
        check=_CHECK,
    )
    running(name="Run the daily rotation [LOG-02]", service="logrotate.timer", feeds=[])
