"""Packages by the platform's own manager, which is told, never guessed from binaries."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from pyinfra import host
from pyinfra.api import FactBase, QuoteString, StringCommand, operation
from pyinfra.facts.deb import DebPackages
from pyinfra.operations import apt
from typing_extensions import override

from roles.platform import Platform
from roles.rpm_packages import epel_added, interrupted_dnf_finished, rpm_packages_installed

_LISTS_MAX_AGE = 60  # minutes
_UPDATED = "/var/lib/apt/periodic/update-success-stamp"
_LOCK_TIMEOUT = "-o DPkg::Lock::Timeout=300"

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
    if platform.is_el:
        _install_rpms(sorted(names))
        return
    interrupted_dpkg_finished(name="Finish what an interrupted dpkg began [BASE-03]")
    if set(names) - set(host.get_fact(DebPackages)):
        package_lists_fresh(name="Refresh the package lists [BASE-03]")
    apt.packages(
        name="Install packages [BASE-03]",
        packages=sorted(names),
        # Recommended packages would bring services that nobody asked for.
        no_recommends=True,
        extra_install_args=_LOCK_TIMEOUT,
    )


def _install_rpms(names: list[str]) -> None:
    interrupted_dnf_finished(name="Finish what an interrupted dnf began [BASE-03]", names=names)
    epel_added(name="Add EPEL, which has Fail2Ban [BASE-03]", names=names)
    rpm_packages_installed(name="Install packages [BASE-03]", names=names)


class PackageListsFresh(FactBase[bool]):
    """Whether the lists were fetched within the last hour."""

    @override
    def command(self) -> str:
        return f"find {_UPDATED} -mmin -{_LISTS_MAX_AGE} 2>/dev/null; true"

    @override
    def process(self, output: Iterable[str]) -> bool:
        return any(output)

    @staticmethod
    @override
    def default() -> bool:
        return False


@operation()
def package_lists_fresh() -> Generator[StringCommand, None, None]:
    """Fetch apt's lists if they are older than an hour, after whoever else works on them."""
    if host.get_fact(PackageListsFresh):
        host.noop("the package lists are fresh")
    else:
        yield StringCommand("sh", "-c", QuoteString(_UPDATE))


class DpkgInterrupted(FactBase[bool]):
    """Whether a package is neither wholly installed nor wholly absent (dpkg(1), --audit)."""

    @override
    def command(self) -> str:
        return (
            "ls -A /var/lib/dpkg/updates; dpkg-query -W -f '${db:Status-Status}\\n' | "
            "grep -Evx 'installed|config-files|not-installed'; true"
        )

    @override
    def process(self, output: Iterable[str]) -> bool:
        return any(output)


@operation()
def interrupted_dpkg_finished() -> Generator[StringCommand, None, None]:
    """Configure what a killed dpkg left unpacked; apt refuses to work until somebody does."""
    if host.get_fact(DpkgInterrupted):
        yield StringCommand("sh", "-c", QuoteString(_CONFIGURE))
    else:
        host.noop("every package is wholly installed or absent")
