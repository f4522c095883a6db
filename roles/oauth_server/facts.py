"""What of the server is on a host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyinfra.api import FactBase
from typing_extensions import override

RELEASES = "/opt/oauth-server/releases"
CURRENT = "/opt/oauth-server/current"
KEYS = "/etc/oauth2/keys"


@dataclass(frozen=True)
class Releases:
    """The digests of the releases, last used first, and of the one that `current` points to."""

    present: list[str]
    current: str | None


class InstalledReleases(FactBase[Releases]):
    """The releases on a host, in one command. Half-made ones have names that begin with a dot."""

    @override
    def command(self) -> str:
        return f"readlink {CURRENT} || echo none; ls -1t {RELEASES} 2>/dev/null || true"

    @override
    def process(self, output: Iterable[str]) -> Releases:
        link, *present = output
        current = link.rpartition("/")[2]
        return Releases(present, current if current in present else None)

    @staticmethod
    @override
    def default() -> Releases:
        return Releases([], None)


class ActiveKeyPair(FactBase[bool]):
    """Whether the ring has an active pair and both of its links lead there."""

    @override
    def command(self) -> str:
        return (
            f"test -s {KEYS}/private_key.pem && test -s {KEYS}/public_key.pem && "
            f"test -s {KEYS}/ring/active/private.pem && echo yes || echo no"
        )

    @override
    def process(self, output: Iterable[str]) -> bool:
        return list(output) == ["yes"]
