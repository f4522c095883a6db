"""What the servers of a fleet know of each other: fleet.json, of what each host says of itself.

Public keys alone travel. Private keys, and the identity that signs for the host between deploys,
are made on the host and stay there.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from pyinfra import host, inventory, state
from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from roles.facts import FileStates
from roles.files import managed_file
from roles.oauth_server.facts import KEYS
from roles.questions import operation
from roles.topology import Member

FLEET = "/etc/oauth2/fleet.json"
_IDENTITY = ["oauth_user 600 identity.pem", "oauth_user 644 identity.pub.pem"]
_MOST = 64 * 1024
# RFC 7518 §6: of RSA and elliptic curves, and RFC 8037's. Nothing else leaves a host.
_PUBLIC = frozenset({"kty", "kid", "alg", "use", "n", "e", "crv", "x", "y"})


@dataclass(frozen=True)
class Others:
    """The servers of the fleet, this one among them, and the CAs by which they know each other.

    `joining` are the names of those whose first key must be known before it signs.
    """

    servers: tuple[Member, ...]
    ca_file: str
    joining: frozenset[str]


class Identity(FactBase[bool]):
    """Whether the host has an identity, with owner and modes as they should be."""

    @override
    def command(self) -> str:
        return (
            f"cd {KEYS} 2>/dev/null && stat -c '%U %a %n' identity.pem identity.pub.pem "
            "2>/dev/null; true"
        )

    @override
    def process(self, output: Iterable[str]) -> bool:
        return list(output) == _IDENTITY


class Announcement(FactBase[dict[str, Any]]):
    """Identity, sequence and public keys of the host, or nothing where it can't say them yet.

    What a host says is believed of that host alone, and it may be anybody's by now.
    """

    @override
    def command(self) -> str:
        return (
            f"test ! -e {KEYS}/identity.pem || /usr/local/bin/oauth-server keys announcement "
            "2> /dev/null; true"
        )

    @override
    def process(self, output: Iterable[str]) -> dict[str, Any]:
        text = "\n".join(output)
        try:
            said = json.loads(text) if len(text) <= _MOST else None
        except (ValueError, RecursionError):
            return {}
        return said if _is_sound(said) else {}

    @staticmethod
    @override
    def default() -> dict[str, Any]:
        return {}


def _is_sound(said: object) -> TypeGuard[dict[str, Any]]:
    if not isinstance(said, dict) or set(said) != {"identity", "as_of", "keys"}:
        return False
    keys = said["keys"]
    return (
        isinstance(said["identity"], str)
        and isinstance(said["as_of"], int)
        and isinstance(keys, list)
        and all(isinstance(key, dict) and key.keys() <= _PUBLIC for key in keys)
    )


@dataclass(frozen=True)
class Standing:
    """`served`: a server has run on the host and shown its keys. `signs`: one of them is active."""

    served: bool = False
    signs: bool = False


class StandingOfHost(FactBase[Standing]):
    """How far the host's server has come."""

    @override
    def command(self) -> str:
        return (
            "test -e /var/lib/oauth-server/served.json && echo served; "
            f"test -L {KEYS}/ring/active && echo signs; true"
        )

    @override
    def process(self, output: Iterable[str]) -> Standing:
        said = set(output)
        return Standing("served" in said, "signs" in said)

    @staticmethod
    @override
    def default() -> Standing:
        return Standing()


def joining(standings: Mapping[str, Standing]) -> frozenset[str]:
    """Who comes to one that serves and signs: a first key that no cache knows must not sign yet."""
    if not any(standing.served and standing.signs for standing in standings.values()):
        return frozenset()
    return frozenset(name for name, standing in standings.items() if not standing.signs)


def joiners(servers: Iterable[Member]) -> frozenset[str]:
    """The names of those that join the others now, by what their hosts say."""
    return joining(
        {one.name: inventory.get_host(one.name).get_fact(StandingOfHost) for one in servers}
    )


@operation()
def identity() -> Generator[StringCommand, None, None]:
    """Have an identity by which the others know the host, made here."""
    if host.get_fact(Identity):
        host.noop("the host has an identity")
        return
    # No link is followed.
    yield StringCommand(
        f"chown -hR oauth_user:oauth_group {KEYS} &&",
        "/usr/local/bin/oauth-server keys identity > /dev/null",
    )


@operation()
def fleet_file(others: Others) -> Generator[StringCommand, None, None]:
    """Keep fleet.json with what each server's host says of itself when this is carried out."""
    host.get_fact(FileStates, paths=[FLEET])
    members, silent = [], []
    for member in others.servers:
        said = inventory.get_host(member.name).get_fact(Announcement)
        if not said:
            silent.append(member.name)
        members.append({"host": member.name, **said, "address": member.in_url})
    if silent and state.is_executing:
        told = f"{', '.join(silent)}: does not say which keys it has: see `oauth-server keys list`"
        yield StringCommand("echo", QuoteString(told), ">&2; exit 1")
        return
    document = {"host": host.name, "ca_file": others.ca_file, "members": members}
    yield from managed_file._inner(
        path=FLEET,
        content=json.dumps(document, indent=1, sort_keys=True) + "\n",
        group="oauth_group",
        mode="0640",
        # A host says what it likes: another's identity, or what is no key. With such a file no
        # server would start.
        check='/usr/local/bin/oauth-server check --fleet "$candidate"',
    )
