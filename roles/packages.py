"""Packages by the platform's own manager, which is told, never guessed from binaries."""

from __future__ import annotations

from pyinfra import host
from pyinfra.facts.deb import DebPackages
from pyinfra.operations import apt, dnf

from roles.platform import Platform

_LISTS_MAX_AGE = 3600  # seconds


def install(platform: Platform, *names: str) -> None:
    """Install what is missing, in one transaction; lists are refreshed only for that."""
    if platform.is_el:
        dnf.packages(name="Install packages [BASE-03]", packages=sorted(names))
        return
    if set(names) - set(host.get_fact(DebPackages)):
        apt.update(name="Refresh the package lists", cache_time=_LISTS_MAX_AGE)
    apt.packages(
        name="Install packages [BASE-03]",
        packages=sorted(names),
        # Recommended packages would bring services that nobody asked for.
        no_recommends=True,
    )
