"""BASE: the account, the directories and the packages that the rest stands on."""

from __future__ import annotations

import pytest

from tests.audit.subject import Answer, Subject, states_of
from tests.audit.verdict import must_equal, must_hold

_DIRECTORIES = {
    "/etc/oauth2": "root:oauth_group 0750 directory",
    "/opt/oauth-server": "root:root 0755 directory",
    "/opt/oauth-server/releases": "root:root 0755 directory",
    "/usr/local/bin/oauth-server": "root:root 0755 regular file",
    "/var/lib/oauth-server": "oauth_user:oauth_group 0750 directory",
}
_PACKAGES = {
    False: ("chrony", "fail2ban", "logrotate", "nginx", "redis-server"),
    True: ("chrony", "fail2ban-server", "logrotate", "nginx", "redis"),
}


def _is_for(package: str, subject: Subject) -> bool:
    if package == "nginx":
        return subject.is_gateway
    if package.startswith("redis"):
        return subject.is_state
    return subject.is_server or subject.is_gateway or not package.startswith("fail2ban")


QUESTIONS = {
    "account": "getent passwd oauth_user; getent group oauth_group; id -Gn oauth_user",
    "others": "getent passwd; echo; getent group",
    "home": "stat -c '%U %a' /nonexistent || echo missing",
    "password": "getent shadow oauth_user | cut -d: -f2 | cut -c1; test $(id -u) = 0 || "
    "{ echo permission denied; exit 1; }",
    "directories": states_of(*_DIRECTORIES),
    "installed": "{ dpkg-query -W -f '${Package} ${db:Status-Status}\\n' || "
    "rpm -qa --qf '%{NAME} installed\\n'; } 2>/dev/null",
}


@pytest.mark.control("BASE-01")
def test_the_service_account_can_not_be_logged_in_to(answers: dict[str, Answer]) -> None:
    """Nobody gets a shell as the account that signs tokens."""
    user, group, groups = answers["account"].lines
    name, _, uid, gid, _, home, shell = user.split(":")
    must_equal(
        "the account oauth_user must be without shell and home",
        seen={"name": name, "home": home, "shell": shell.rpartition("/")[2]},
        expected={"name": "oauth_user", "home": "/nonexistent", "shell": "nologin"},
    )
    must_hold("it must not be root", uid != "0" != gid, expected="ids above 0", seen=f"{uid}:{gid}")
    must_equal("its group must be oauth_group", seen=gid, expected=group.split(":")[2])
    must_equal("it must be in no other group", seen=groups, expected="oauth_group")


@pytest.mark.control("BASE-01")
def test_nobody_else_is_the_account_or_in_its_group(answers: dict[str, Answer]) -> None:
    """Another name for the account, or another member, reads its key or its settings.

    The ids may be any that are its own: many sites give them out above 1000.
    """
    user, group, _ = answers["account"].lines
    uid, gid = user.split(":")[2:4]
    members = group.split(":")[3]
    passwd, _, groups = answers["others"].output.partition("\n\n")
    accounts = [line.split(":") for line in passwd.splitlines()]
    must_equal(
        "its ids must be its own, and its group nobody else's",
        seen={
            "the uid": [name for name, _, other, *_ in accounts if other == uid],
            "the group": [name for name, _, _, other, *_ in accounts if other == gid],
            "the gid": [
                line.split(":")[0] for line in groups.splitlines() if line.split(":")[2] == gid
            ],
            "members": [name for name in members.split(",") if name not in ("", "oauth_user")],
        },
        expected={
            "the uid": ["oauth_user"],
            "the group": ["oauth_user"],
            "the gid": ["oauth_group"],
            "members": [],
        },
    )


@pytest.mark.control("BASE-01")
def test_the_home_that_nobody_has_is_not_there(answers: dict[str, Answer]) -> None:
    """An account without a home has no place for keys to log in with, or to leave things in."""
    seen = answers["home"].lines[-1]
    must_hold(
        "/nonexistent must be missing, or root's alone",
        seen == "missing" or (seen.startswith("root ") and not int(seen.split()[1], 8) & 0o022),
        expected="missing",
        seen=seen,
    )


@pytest.mark.control("BASE-01")
def test_the_service_account_has_no_password(answers: dict[str, Answer]) -> None:
    """No password, guessed or leaked, opens the account."""
    must_hold(
        "the account's password must be locked",
        answers["password"].output.strip() in ("!", "*"),
        expected="! or *",
        seen=answers["password"].output.strip() or "nothing",
    )


@pytest.mark.control("BASE-02")
@pytest.mark.group("auth_servers")
def test_program_and_settings_are_roots(answers: dict[str, Answer]) -> None:
    """The server can read its program and its rules, and change neither."""
    must_equal(
        "owner, group and mode must be as laid down",
        seen=answers["directories"].states,
        expected=_DIRECTORIES,
    )


@pytest.mark.control("BASE-03")
def test_packages_are_installed(answers: dict[str, Answer], subject: Subject) -> None:
    """What gets security updates is what runs."""
    installed = dict(line.split(" ", 1) for line in answers["installed"].lines)
    wanted = [name for name in _PACKAGES[subject.is_el] if _is_for(name, subject)]
    must_equal(
        "these packages must be installed",
        seen={name: installed.get(name, "missing") for name in wanted},
        expected=dict.fromkeys(wanted, "installed"),
    )
