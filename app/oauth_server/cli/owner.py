"""Only the owner of a keys directory touches keys: root becomes that user first.

What root made there the server could not read; and a program that holds private keys needs no more
rights than these.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Collection
from pathlib import Path

from oauth_server.errors import OperatorError


def become(directory: Path, socket: Path | None = None, named: Collection[str] = ()) -> None:
    """For good, with the user's groups, those that are `named`, and the one that may use `socket`.

    Who is not root stays who he is, and so does root where the directory is root's or is not
    there. Raises OperatorError.
    """
    if os.geteuid() != 0:
        return
    try:
        owner = directory.stat().st_uid
    except OSError:
        return
    if owner == 0:
        return
    try:
        user = pwd.getpwuid(owner)
    except KeyError:
        raise OperatorError(f"{directory}: belongs to user {owner}, who has no name here") from None
    more = {*map(_group, named), *_group_of(socket)}
    groups = {*os.getgrouplist(user.pw_name, user.pw_gid), *more}
    os.setgroups(sorted(groups))
    os.setgid(user.pw_gid)
    os.setuid(owner)


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise OperatorError(f"signing.pkcs11.groups: there is no group {name}") from None


def _group_of(socket: Path | None) -> set[int]:
    try:
        return set() if socket is None else {socket.stat().st_gid}
    except OSError:
        return set()  # whoever connects is told what is the matter
