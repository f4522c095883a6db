"""Fail2Ban: who guesses secrets is kept out for a while, here and at sshd."""

from __future__ import annotations

from pyinfra import host
from pyinfra.api import deploy

from roles.drop_ins import drop_in
from roles.fail2ban.facts import SshPeer
from roles.files import managed_file, render
from roles.hostdata.services import Fail2banData
from roles.paths import Directory, directories
from roles.platform import Platform
from roles.services import running

SERVER, GATEWAY = "oauth-server", "oauth-gateway"
_LOGS = {SERVER: "/var/log/oauth_server.log", GATEWAY: "/var/log/nginx/oauth_guesses.log"}
_FILTER = "/etc/fail2ban/filter.d/oauth-server.conf"
_JAIL = "/etc/fail2ban/jail.d/oauth-server.conf"
_ACTION = "/etc/fail2ban/action.d/portcullis.conf"
# Beside other drop-ins of this project's for the same unit.
_FLUSHED = "/etc/systemd/system/nftables.service.d/portcullis-bans.conf"

_LINE = "2026-11-23T03:41:36.123Z 192.0.2.1 401 invalid_client token client_id=a request_id=b"

# Fail2Ban compiles an expression when it first meets a line.
_CHECK_FILTER = f"""\
said=$(fail2ban-regex '{_LINE}' "$candidate") || {{ echo "$said" >&2; exit 1; }}
case "$said" in *' 1 matched'*) ;; *) echo "$said" >&2; exit 1;; esac"""

# All of Fail2Ban's configuration with the candidate in it, and no stage of anybody.
_CHECK_JAIL = """\
mkdir "$stage/all"
tar -C /etc/fail2ban --exclude='.portcullis-*' -cf - . | tar -C "$stage/all" -xf -
cp "$candidate" "$stage/all/jail.d/"
said=$(fail2ban-client -c "$stage/all" -t 2>&1) || { echo "$said" >&2; exit 1; }"""


@deploy("fail2ban")
def fail2ban(
    data: Fail2banData,
    platform: Platform,
    gateways: tuple[str, ...] = (),
    logs: tuple[str, ...] = (SERVER,),
) -> None:
    """`gateways` are addresses behind which everybody else is: to ban one is to ban them all.

    `logs` are those of SERVER and GATEWAY that this host has: a client is kept out where its
    connection ends.
    """
    # sudo would take the variable away that says where the deploy comes from.
    controller = host.get_fact(SshPeer, _sudo=False)
    trusted = ["127.0.0.0/8", "::1", *data.ignore, *gateways, *([controller] if controller else [])]
    jails = {name: log for name, log in _LOGS.items() if name in logs}
    filtered = managed_file(
        name="Write the filter of the server's log [BAN-01]",
        path=_FILTER,
        content=render("fail2ban/filter.d/oauth-server.conf.j2"),
        check=_CHECK_FILTER,
    )
    # Before the jails, which are read together with it.
    acting = managed_file(
        name="Write the action of a ban [BAN-02]",
        path=_ACTION,
        content=render("fail2ban/action.d/portcullis.conf.j2"),
    )
    jailed = managed_file(
        name="Write the jails [BAN-02]",
        path=_JAIL,
        content=render(
            "fail2ban/jail.d/oauth-server.conf.j2", data=data, trusted=trusted, jails=jails
        ),
        check=_CHECK_JAIL,
    )
    confined = drop_in(
        "fail2ban.service",
        render("fail2ban/portcullis.conf.j2", systemd=platform.systemd),
        of="Fail2Ban's",
        control="SANDBOX-02",
    )
    directories(
        name="Make the directory of nftables' drop-ins [BAN-02]",
        wanted=[Directory(_FLUSHED.rpartition("/")[0])],
    )
    following = managed_file(
        name="Have bans follow nftables.service [BAN-02]",
        path=_FLUSHED,
        content=render("fail2ban/nftables.conf.j2"),
    )
    running(
        name="Run Fail2Ban [BAN-02]",
        service="fail2ban.service",
        # A reload would give no running jail its new action.
        feeds=[confined.path, _ACTION, _FLUSHED],
        after=(confined.written, acting, following),
        # A restart would lift the bans for a moment.
        reloaded=[_FILTER, _JAIL],
        reload_after=(filtered, jailed),
        # systemd counts it as active before it has read its configuration, or met a Python that it
        # does not run with (fail2ban #3487).
        answers="fail2ban-client ping > /dev/null 2>&1",
    )
