"""Packages, the service account, and the directories that the roles write to."""

from __future__ import annotations

from pyinfra.api import deploy
from pyinfra.operations import files, server

from roles.base.layout import PACKAGES
from roles.packages import install
from roles.platform import Target


@deploy("base")
def base(target: Target) -> None:
    # One transaction for all roles: a package manager's start-up is most of its time.
    install(target.platform, target.python.package, *PACKAGES[target.platform])

    server.group(name="Make the group oauth_group [BASE-01]", group="oauth_group", system=True)
    server.user(
        name="Make the user oauth_user, without shell or home [BASE-01]",
        user="oauth_user",
        group="oauth_group",
        system=True,
        create_home=False,
        ensure_home=False,
        home="/nonexistent",
        shell="/usr/sbin/nologin",
        comment="OAuth2 authorization server",
    )
    files.directory(
        name="Make /etc/oauth2 [BASE-02]",
        path="/etc/oauth2",
        user="root",
        group="oauth_group",
        mode="750",
    )
    # The directory itself, too: whoever may write there can swap `current`.
    files.directory(
        name="Make /opt/oauth-server [BASE-02]",
        path="/opt/oauth-server",
        user="root",
        group="root",
        mode="755",
    )
    files.directory(
        name="Make /opt/oauth-server/releases [BASE-02]",
        path="/opt/oauth-server/releases",
        user="root",
        group="root",
        mode="755",
    )
    files.directory(
        name="Make /var/lib/oauth-server [BASE-02]",
        path="/var/lib/oauth-server",
        user="oauth_user",
        group="oauth_group",
        mode="750",
    )
