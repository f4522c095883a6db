"""Packages, the service account, and the directories that the roles write to."""

from __future__ import annotations

from pyinfra.api import deploy

from roles.base.account import account, adoptable
from roles.base.layout import PACKAGES, unneeded
from roles.packages import install
from roles.paths import Directory, directories
from roles.platform import Target
from roles.topology import Place


@deploy("base")
def base(target: Target, place: Place, more: tuple[str, ...] = ()) -> None:
    """`more` are packages that only some hosts need."""
    adoptable()
    # One transaction for all roles: a package manager's start-up is most of its time.
    left_out = unneeded(place)
    packages = (name for name in PACKAGES[target.platform] if name not in left_out)
    install(target.platform, target.python.package, *packages, *more)

    account(name="Have the user oauth_user, without shell or home [BASE-01]")
    directories(
        name="Make the directories that roles write to [BASE-02]",
        wanted=[
            Directory("/etc/oauth2", group="oauth_group", mode="0750"),
            # The directory itself, too: whoever may write there can swap `current`.
            Directory("/opt/oauth-server"),
            Directory("/opt/oauth-server/releases"),
            Directory("/var/lib/oauth-server", "oauth_user", "oauth_group", "0750"),
        ],
    )
