"""Packages by the platform's own manager, which is told, never guessed from binaries."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from shlex import quote

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles.platform import Platform
from roles.questions import operation
from roles.rpm_packages import epel_added, interrupted_dnf_finished, rpm_packages_installed

_LISTS_MAX_AGE = 60  # minutes
_UPDATED = "/var/lib/apt/periodic/update-success-stamp"
# Recommended packages would bring services that nobody asked for.
_INSTALL = (
    "DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes --no-install-recommends "
    "-o DPkg::Options::=--force-confdef -o DPkg::Options::=--force-confold "
    "-o DPkg::Lock::Timeout=300 install"
)

# Another apt may still be at work: one of a run whose connection was cut, or the host's own.
_CONFIGURE = """\
tries=0
until DEBIAN_FRONTEND=noninteractive dpkg --force-confold --configure -a; do
  tries=$((tries + 1)); test $tries -lt 60 || exit 1; sleep 5
done"""

# Nothing makes apt wait for the lock on its lists, which a new machine's own apt holds for long.
_UPDATE = f"""\
tries=0
until said=$(LC_ALL=C apt-get --quiet update 2>&1); do
  case "$said" in *"Could not get lock"*) ;; *) tries=60;; esac
  tries=$((tries + 1)); test $tries -lt 60 || {{ echo "$said" >&2; exit 1; }}
  sleep 5
done
install -d /var/lib/apt/periodic
touch {_UPDATED}"""


def install(platform: Platform, *names: str) -> None:
    """Install what is missing, in one transaction; lists are refreshed only for that."""
    packages = sorted(names)
    if platform.is_el:
        _install_rpms(packages)
        return
    interrupted_dpkg_finished(
        name="Finish what an interrupted dpkg began [BASE-03]", packages=packages
    )
    package_lists_fresh(name="Refresh the package lists [BASE-03]", packages=packages)
    packages_installed(name="Install packages [BASE-03]", packages=packages)


def _install_rpms(names: list[str]) -> None:
    interrupted_dnf_finished(name="Finish what an interrupted dnf began [BASE-03]", names=names)
    epel_added(name="Add EPEL, which has Fail2Ban [BASE-03]", names=names)
    rpm_packages_installed(name="Install packages [BASE-03]", names=names)


@dataclass(frozen=True)
class Apt:
    """`interrupted`: a package is neither wholly installed nor wholly absent (dpkg(1), --audit).

    `installed` are those that were asked for. `fresh`: the lists were fetched within the last hour.
    """

    installed: frozenset[str]
    interrupted: bool
    fresh: bool


# awk prints what is asked for and installed, and whatever is in between.
_STATUS = """\
ls -A /var/lib/dpkg/updates | sed 's/^/update /'
dpkg-query -W -f '${db:Status-Status} ${Package}\\n' | awk -v asked={asked} '
  $1 == "installed" { if (index(asked, " " $2 " ")) print; next }
  $1 != "config-files" && $1 != "not-installed"'
"""


class AptState(FactBase[Apt]):
    """What apt and dpkg have on the host, in one command."""

    @override
    def command(self, packages: list[str]) -> str:
        return (
            _STATUS.replace("{asked}", quote(f" {' '.join(packages)} "))
            + f"find {_UPDATED} -mmin -{_LISTS_MAX_AGE} -printf 'fresh lists\\n' 2>/dev/null; true"
        )

    @override
    def process(self, output: Iterable[str]) -> Apt:
        told: dict[str, list[str]] = {}
        for line in output:
            word, _, rest = line.partition(" ")
            told.setdefault(word, []).append(rest)
        installed, fresh = told.pop("installed", []), told.pop("fresh", [])
        return Apt(frozenset(installed), interrupted=bool(told), fresh=bool(fresh))

    @staticmethod
    @override
    def default() -> Apt:
        return Apt(frozenset(), interrupted=False, fresh=False)


@operation()
def interrupted_dpkg_finished(packages: list[str]) -> Generator[StringCommand, None, None]:
    """Configure what a killed dpkg left unpacked; apt refuses to work until somebody does.

    `packages` are what is asked about next: one question serves all.
    """
    if host.get_fact(AptState, packages=packages).interrupted:
        yield StringCommand("sh", "-c", QuoteString(_CONFIGURE))
    else:
        host.noop("every package is wholly installed or absent")


@operation()
def package_lists_fresh(packages: list[str]) -> Generator[StringCommand, None, None]:
    """Fetch apt's lists before `packages` if they are older than an hour.

    Whoever else works on them comes first.
    """
    found = host.get_fact(AptState, packages=packages)
    if found.fresh or found.installed.issuperset(packages):
        host.noop("the package lists are fresh, or nobody needs them")
    else:
        yield StringCommand("sh", "-c", QuoteString(_UPDATE))


@operation()
def packages_installed(packages: list[str]) -> Generator[StringCommand, None, None]:
    """Have these packages; configuration that is there stays as it is."""
    missing = sorted(set(packages) - host.get_fact(AptState, packages=packages).installed)
    if not missing:
        host.noop("all packages are installed")
        return
    yield StringCommand(_INSTALL, *map(QuoteString, missing))
