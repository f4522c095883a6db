"""The service account: made where there is none; one that is there is taken over, ids and all."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from pyinfra import host, logger
from pyinfra.api import QuoteString, StringCommand

from roles.base.facts import GROUP, HOME, SHELL, USER, Account, ServiceAccount
from roles.errors import DeployError
from roles.questions import operation, rehearsing

_COMMENT = "OAuth2 authorization server"


def adoptable() -> None:
    """Say what the deploy will take from an account that was there before it.

    Raises DeployError for what it must not take from anybody: an id of root's or of another
    account's, another member of the group that reads the settings, somebody's work as the user.
    """
    if rehearsing():
        return
    found = host.get_fact(ServiceAccount)
    if faults := list(_faults(found)):
        raise DeployError("\n".join(f"{host.name}: {fault}" for fault in faults))
    for change in _taken(found):
        host.log(change, logger.warning)


def _faults(found: Account) -> Iterator[str]:
    if found.uid == "0":
        yield f"{USER} is root: its uid is 0; give it one of its own"
    if found.gid == "0":
        yield f"{GROUP} is root's group: its gid is 0; give it one of its own"
    for sentence in found.shared:
        yield f"{sentence}, and could read what the server keeps secret; part them"
    for file in found.jobs:
        yield f"somebody works as {USER}, which nobody but the server may be: remove {file}"
    if found.left_home == "full":
        yield f"{HOME} is {USER}'s and not empty; look at what is in it, and remove it"
    if found.uid and not found.local and not _is_right(found):
        yield (
            f"{USER} comes from a directory service, where the deploy cannot change it: it needs "
            f"the group {GROUP} and no other, the home {HOME}, the shell {SHELL} and a locked "
            "password"
        )
    elif found.uid and found.busy and found.home != HOME:
        yield (
            f"{USER} has the home {found.home}, which cannot change while something runs as it: "
            "stop that first (systemctl stop oauth-server.socket oauth-server-metrics.socket "
            "oauth-server.service)"
        )


def _taken(found: Account) -> Iterator[str]:
    if found.uid is None:
        return
    if found.shell.rpartition("/")[2] not in ("nologin", "false"):
        yield f"{USER} loses its shell {found.shell}"
    if found.home != HOME:
        yield f"{USER} loses its home {found.home}; the directory stays as it is"
    if not found.locked:
        yield f"{USER} loses its password: it is locked"
    if found.groups:
        yield f"{USER} is taken out of the groups {', '.join(found.groups)}"


def _is_right(found: Account) -> bool:
    return (
        found.gid is not None
        and (found.group, found.home, found.shell) == (found.gid, HOME, SHELL)
        and found.locked
        and not found.groups
        and not found.left_home
    )


@operation()
def account() -> Generator[StringCommand, None, None]:
    """Have the user and its group, without shell, home, password or other groups.

    Ids that are there already stay: a site may give them out itself, and files elsewhere may
    belong to them.
    """
    found = host.get_fact(ServiceAccount)
    if _is_right(found):
        host.noop(f"{USER} is as it should be")
        return
    lines = ["set -eu"]
    if found.gid is None:
        lines += [f"groupadd --system {GROUP}"]
    if found.uid is None:
        lines += [
            f"useradd --system --gid {GROUP} --no-create-home --home-dir {HOME} \\",
            f"  --shell {SHELL} --comment '{_COMMENT}' {USER}",
        ]
    else:
        # A home that is named anew without --move-home leaves the old one where it is.
        home = f" --home {HOME}" if found.home != HOME else ""
        lines += [f"usermod --gid {GROUP} --groups ''{home} --shell {SHELL} --lock {USER}"]
    if found.left_home == "empty":
        lines += [f"rmdir {HOME}"]
    yield StringCommand("sh", "-c", QuoteString("\n".join(lines)))
