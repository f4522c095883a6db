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


class WholeRelease(FactBase[bool]):
    """Whether a release is on the host with every file as its name says."""

    @override
    def command(self, digest: str) -> str:
        return (
            f"cd {RELEASES}/{digest} 2>/dev/null && "
            f"echo '{digest}  SHA256SUMS' | sha256sum --check --status && "
            "sha256sum --check --strict --status SHA256SUMS && echo whole; true"
        )

    @override
    def process(self, output: Iterable[str]) -> bool:
        return "whole" in output


_RING = (
    ("ring", "711"),
    ("ring/active/", "711"),
    ("ring/active/public.pem", "644"),
    # A ring of an older version has none.
    ("ring/active/times.json", "644"),
    ("public_key.pem", "644"),
)
_ON_A_TOKEN = (("ring/active/pkcs11.uri", "644"),)
_IN_A_FILE = (("ring/active/private.pem", "600"), ("private_key.pem", "600"))


class ActiveKeyPair(FactBase[bool]):
    """Whether the ring has an active pair, both links lead there, and modes and owner are right."""

    @override
    def command(self) -> str:
        paths = " ".join(path for path, _ in (*_RING, *_ON_A_TOKEN, *_IN_A_FILE))
        return f"cd {KEYS} 2>/dev/null && stat -L -c '%U %a' {paths} 2>/dev/null; true"

    @override
    def process(self, output: Iterable[str]) -> bool:
        found = list(output)
        return any(
            found == [f"oauth_user {mode}" for _, mode in (*_RING, *private)]
            for private in (_ON_A_TOKEN, _IN_A_FILE)
        )


class WaitingKey(FactBase[bool]):
    """Whether the ring has a key and none that is active: it waits until caches know it."""

    @override
    def command(self) -> str:
        return (
            f"cd {KEYS}/ring 2>/dev/null && test ! -L active && "
            'for key in [!.]*/times.json; do test -e "$key" && echo yes && break; done; true'
        )

    @override
    def process(self, output: Iterable[str]) -> bool:
        return list(output) == ["yes"]
