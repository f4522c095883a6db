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

# Another apt may still be at work: one of a run whose connection was cut, or the host's own. Where
# a full disk or a power cut ended the unpacking, dpkg cannot go on, and apt not by itself: what is
# half there has to be named to it.
_CONFIGURE = f"""\
tries=0
until said=$(export LC_ALL=C DEBIAN_FRONTEND=noninteractive
    dpkg --force-confold --configure -a 2>&1); do
  case "$said" in *"lock was locked"*) ;; *) tries=60;; esac
  tries=$((tries + 1)); test $tries -lt 60 || break
  sleep 5
done
test $tries -lt 60 && exit
half=$(dpkg-query -W -f '${{db:Status-Status}} ${{Package}}\\n' | sed -n 's/^half-installed //p')
{_INSTALL} --fix-broken --reinstall $half || {{ echo "$said" >&2; exit 1; }}"""

# Nothing makes apt wait for the lock on its lists, which a new machine's own apt holds for long.
# It ends with 0 when no mirror answers, and goes on with the lists of last time: what is wanted is
# fetched beforehand, so that a way to the packages that is closed ends the run while nothing of the
# host was changed. A source that nothing here comes from may be out of reach.
_FETCH = f"""\
fetch() {{
  got=$(export LC_ALL=C; {_INSTALL} --download-only "$@" 2>&1)
}}
fresh=$(find {_UPDATED} -mmin -{_LISTS_MAX_AGE} 2>/dev/null)
if test -n "$fresh" && fetch "$@"; then exit; fi
tries=0
until said=$(LC_ALL=C apt-get --quiet update 2>&1); do
  case "$said" in *"Could not get lock"*) ;; *) tries=60;; esac
  tries=$((tries + 1)); test $tries -lt 60 || break
  sleep 5
done
if test $tries -lt 60 && fetch "$@"; then
  case "$said" in *"Failed to fetch"*) ;; *)
    install -d /var/lib/apt/periodic
    touch {_UPDATED};;
  esac
  exit
fi
said=$(printf '%s\\n%s\\n' "$said" "$got" | sed 's|//[^/@ ]*@|//***@|g')
failed=$(echo "$said" | sed -En 's/^[EW]: Failed to fetch ([^ ]*) +(.*)/\\1 (\\2)/p' | head -n 1)
if test -z "$failed"; then echo "$said" | grep '^E:' >&2; exit 1; fi
eval "$(apt-config shell proxy Acquire::http::Proxy)"
proxy=${{proxy:-${{http_proxy:-}}}}
proxy=$(echo "${{proxy:+, through the proxy $proxy}}" | sed 's|//[^/@ ]*@|//***@|g')
echo "packages cannot be fetched: $failed$proxy; let the host's apt reach its mirror" \\
  "(/etc/apt/sources.list, Acquire::http::Proxy in /etc/apt/apt.conf.d), and deploy again" >&2
exit 1"""


def install(platform: Platform, *names: str) -> None:
    """Install what is missing, in one transaction; lists are refreshed only for that."""
    packages = sorted(names)
    if platform.is_el:
        _install_rpms(packages)
        return
    interrupted_dpkg_finished(
        name="Finish what an interrupted dpkg began [BASE-03]", packages=packages
    )
    packages_fetched(name="Fetch missing packages [BASE-03]", packages=packages)
    packages_installed(name="Install packages [BASE-03]", packages=packages)


def _install_rpms(names: list[str]) -> None:
    interrupted_dnf_finished(name="Finish what an interrupted dnf began [BASE-03]", names=names)
    epel_added(name="Add EPEL, which has Fail2Ban [BASE-03]", names=names)
    rpm_packages_installed(name="Install packages [BASE-03]", names=names)


@dataclass(frozen=True)
class Apt:
    """`interrupted`: a package is neither wholly installed nor wholly absent (dpkg(1), --audit).

    `installed` are those that were asked for.
    """

    installed: frozenset[str]
    interrupted: bool


# awk prints what is asked for and installed, and whatever is in between.
_STATUS = """\
ls -A /var/lib/dpkg/updates | sed 's/^/update /'
dpkg-query -W -f '${db:Status-Status} ${Package}\\n' | awk -v asked={asked} '
  $1 == "installed" { if (index(asked, " " $2 " ")) print; next }
  $1 != "config-files" && $1 != "not-installed"'; true
"""


class AptState(FactBase[Apt]):
    """What apt and dpkg have on the host, in one command."""

    @override
    def command(self, packages: list[str]) -> str:
        return _STATUS.replace("{asked}", quote(f" {' '.join(packages)} "))

    @override
    def process(self, output: Iterable[str]) -> Apt:
        told: dict[str, list[str]] = {}
        for line in output:
            word, _, rest = line.partition(" ")
            told.setdefault(word, []).append(rest)
        installed = told.pop("installed", [])
        return Apt(frozenset(installed), interrupted=bool(told))

    @staticmethod
    @override
    def default() -> Apt:
        return Apt(frozenset(), interrupted=False)


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
def packages_fetched(packages: list[str]) -> Generator[StringCommand, None, None]:
    """Fetch what is missing, and apt's lists where that needs it; install nothing.

    Whoever else works on them comes first. It fails with one line that names the mirror, the
    reason and the proxy, without its password.
    """
    missing = sorted(set(packages) - host.get_fact(AptState, packages=packages).installed)
    if not missing:
        host.noop("all packages are installed")
        return
    yield StringCommand("sh", "-c", QuoteString(_FETCH), "sh", *map(QuoteString, missing))


@operation()
def packages_installed(packages: list[str]) -> Generator[StringCommand, None, None]:
    """Have these packages; configuration that is there stays as it is."""
    missing = sorted(set(packages) - host.get_fact(AptState, packages=packages).installed)
    if not missing:
        host.noop("all packages are installed")
        return
    yield StringCommand(_INSTALL, *map(QuoteString, missing))
