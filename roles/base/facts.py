"""What a host knows of the service account."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

USER = "oauth_user"
GROUP = "oauth_group"
HOME = "/nonexistent"
SHELL = "/usr/sbin/nologin"


@dataclass(frozen=True)
class Account:
    """The account as it stands; an id is None where there is no such user or group.

    `group` is the id of the user's own group, `groups` the names of all that it is in but GROUP.
    `local` says that /etc/passwd has it, and not a directory service alone; `busy` that a process
    runs as it. `left_home` is what the user owns at HOME: "", "empty" or "full". `shared` says a
    sentence for each other account that has an id of it or is in its group, and `jobs` are files
    by which somebody works as the user.
    """

    uid: str | None = None
    gid: str | None = None
    group: str | None = None
    groups: tuple[str, ...] = ()
    home: str = ""
    shell: str = ""
    locked: bool = False
    local: bool = False
    busy: bool = False
    left_home: str = ""
    shared: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()


_LOOK = f"""\
user={USER} group={GROUP} home={HOME}
entry=$(getent passwd $user)
members=$(getent group $group)
echo "user $entry"
echo "group $members"
if [ "$entry" ]; then
  uid=$(echo "$entry" | cut -d: -f3)
  for name in $(id -Gn $user); do [ $name = $group ] || echo "in $name"; done
  case $(getent shadow $user | cut -d: -f2) in ['!*']*) echo locked;; esac
  if grep -qs "^$user:" /etc/passwd; then echo local; fi
  if find /proc -maxdepth 1 -name '[0-9]*' -uid "$uid" 2> /dev/null | grep -q .; then echo busy; fi
  if [ -d $home ] && [ "$(stat -c %u $home)" = "$uid" ]; then
    if [ "$(ls -A $home)" ]; then echo left full; else echo left empty; fi
  fi
  getent passwd | awk -F: -v n=$user -v i="$uid" \\
    '$3 == i && $1 != n {{print "shared " $1 " has the uid of " n}}'
  for file in /var/spool/cron/crontabs/$user /var/spool/cron/$user /var/lib/systemd/linger/$user
  do if [ -e $file ]; then echo "job $file"; fi; done
fi
if [ "$members" ]; then
  gid=$(echo "$members" | cut -d: -f3)
  getent group | awk -F: -v n=$group -v i="$gid" \\
    '$3 == i && $1 != n {{print "shared the group " $1 " has the gid of " n}}'
  getent passwd | awk -F: -v n=$user -v g=$group -v i="$gid" \\
    '$4 == i && $1 != n {{print "shared " $1 " has the group " g}}'
  for name in $(echo "$members" | cut -d: -f4 | tr , ' ')
  do [ $name = $user ] || echo "shared $name is in the group $group"; done
fi
true
"""


class ServiceAccount(FactBase[Account]):
    """The service account and who else is near it, in one command."""

    @override
    def command(self) -> StringCommand:
        return StringCommand("sh", "-c", QuoteString(_LOOK))

    @override
    def process(self, output: Iterable[str]) -> Account:
        told: dict[str, list[str]] = {}
        for line in output:
            word, _, rest = line.partition(" ")
            told.setdefault(word, []).append(rest)
        # passwd(5) and group(5); nothing is between the colons of an entry that is not there.
        user = (told.get("user", [""])[0] + ":" * 6).split(":")
        group = (told.get("group", [""])[0] + ":" * 3).split(":")
        return Account(
            uid=user[2] or None,
            gid=group[2] or None,
            group=user[3] or None,
            groups=tuple(told.get("in", ())),
            home=user[5],
            shell=user[6],
            locked="locked" in told,
            local="local" in told,
            busy="busy" in told,
            left_home=told.get("left", [""])[0],
            shared=tuple(told.get("shared", ())),
            jobs=tuple(told.get("job", ())),
        )

    @staticmethod
    @override
    def default() -> Account:
        return Account()
