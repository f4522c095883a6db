"""Packages by rpm and dnf: what is missing in one cheap question, and transactions that end."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from shlex import quote

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles.questions import operation

_BEGUN = "/var/lib/portcullis/packages-before"
"""What rpm knew before a transaction of ours; it is there while that has not ended well."""

# Another dnf may still be at work. One of ours whose connection was cut holds our lock for as long
# as it lives; any other has dnf's, and dnf ends with 200 where it finds that taken. What it says
# goes to the shell first: it would stop in the middle of a transaction if nobody read it any more.
_DNF = f"""\
exec 9> /run/portcullis-packages.lock
flock --wait 300 9 || {{ echo "the dnf of another run is still at work" >&2; exit 1; }}
begun={_BEGUN}
dnf_() {{
  tries=0
  while :; do
    said=$(LC_ALL=C dnf --assumeyes --setopt=exit_on_lock=True --setopt=install_weak_deps=False \\
      --setopt=metadata_expire=3600 "$@" 2>&1 < /dev/null) && return 0 || status=$?
    tries=$((tries + 1))
    test $status = 200 && test $tries -lt 60 || {{ complain; return $status; }}
    sleep 5
  done
}}
complain() {{ echo "$said" | sed 's|//[^/@ ]*@|//***@|g' >&2; }}  # a mirror may have a password
known() {{ rpm -qa | grep -v '^gpg-pubkey-' | LC_ALL=C sort; }}
added() {{ known | LC_ALL=C comm -13 $begun -; }}"""

# A package that is recorded may still lack its last script: only a whole transaction counts. What
# a refused one added is nothing, and nothing is left to finish then.
_INSTALL = """\
install -d -m 0755 "${{begun%/*}}" &&
  known > $begun.new && sync $begun.new && mv -T $begun.new $begun || exit
dnf_ install {names} || {{
  status=$?; test -n "$(added)" || rm -f $begun; exit $status; }}
rm -f $begun"""

# A mirror that has newer packages only cannot install the same ones anew.
_FINISH = """\
test -e $begun || exit 0
if added=$(added) && test -n "$added"; then
  dnf_ reinstall $added || dnf_ upgrade $(rpm -q --qf '%{NAME} ' $added) || exit
fi
rm -f $begun"""

# Some have EPEL's packages on a mirror of their own, and need no more of it.
_FROM_EPEL = "fail2ban-server"
_ADD_EPEL = f"""\
dnf_ --quiet repoquery --available {_FROM_EPEL} || exit
case "$said" in *{_FROM_EPEL}-*) exit 0;; esac
case $(. /etc/os-release; echo "$ID") in
  ol) release=oracle-epel-release-el9 ;;
  *) release=epel-release ;;
esac
dnf_ install $release || {{
  echo "no repository of this host has {_FROM_EPEL} or $release: enable EPEL, or a mirror of it" >&2
  exit 1; }}"""


@dataclass(frozen=True)
class RpmState:
    """`interrupted` tells of a transaction of ours that began and did not end well."""

    interrupted: bool
    missing: list[str]


class RpmPackagesState(FactBase[RpmState]):
    """Which of these are not installed, by whatever name their packages have; in one command."""

    @override
    def command(self, names: list[str]) -> StringCommand:
        return StringCommand(
            *("test -e", _BEGUN, "&& echo interrupted;"),
            *("LC_ALL=C rpm -q --whatprovides", *map(quote, names), ";"),
            # Of what is missing rpm makes its status; a database that cannot be read is no answer.
            "rpm -q rpm > /dev/null",
        )

    @override
    def process(self, output: Iterable[str]) -> RpmState:
        lines = list(output)
        absent = "no package provides "
        return RpmState(
            interrupted="interrupted" in lines,
            missing=[line.removeprefix(absent) for line in lines if line.startswith(absent)],
        )


@operation()
def interrupted_dnf_finished(names: list[str]) -> Generator[StringCommand, None, None]:
    """Install anew what a dnf of ours, killed or out of space, has recorded as installed."""
    if host.get_fact(RpmPackagesState, names=names).interrupted:
        yield _shell(_FINISH)
    else:
        host.noop("every transaction has ended")


@operation()
def epel_added(names: list[str]) -> Generator[StringCommand, None, None]:
    """Have a repository with what only EPEL has, if that is missing among `names`."""
    if _FROM_EPEL in host.get_fact(RpmPackagesState, names=names).missing:
        yield _shell(_ADD_EPEL)
    else:
        host.noop("nothing is missing that EPEL has")


@operation()
def rpm_packages_installed(names: list[str]) -> Generator[StringCommand, None, None]:
    """Install what is missing in one transaction, with metadata that are no older than an hour.

    Weak dependencies would bring services that nobody asked for.
    """
    if missing := host.get_fact(RpmPackagesState, names=names).missing:
        yield _shell(_INSTALL.format(names=" ".join(map(quote, missing))))
    else:
        host.noop("every package is installed")


def _shell(script: str) -> StringCommand:
    return StringCommand("sh", "-c", QuoteString(f"{_DNF}\n{script}"))
