"""What root keeps of a lab, written before a thing is made: a crash leaves nothing unknown."""

import json
import secrets
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path

from argon2 import PasswordHasher

from tests.lab import places, subnet
from tests.lab.machine import LabError


@dataclass(frozen=True)
class HostRecord:
    name: str
    kind: str
    image: str
    address: str


@dataclass(frozen=True)
class LabRecord:
    """A lab as it is meant to be; what of it runs, the machine itself knows."""

    name: str
    checkout: str
    network: str
    client_secret: str
    user_password: str
    user_password_hash: str
    hosts: tuple[HostRecord, ...] = ()

    @property
    def subnet(self) -> IPv4Network:
        return IPv4Network(self.network)

    def with_host(self, host: HostRecord) -> "LabRecord":
        return replace(self, hosts=(*self.hosts, host))


def load(lab: str) -> LabRecord | None:
    """Read a lab's record; None if there is no lab of that name. Raises LabError for a damaged one.

    `save` leaves none: somebody else was there.
    """
    path = _path(lab)
    try:
        known = json.loads(path.read_text())
        hosts = tuple(HostRecord(**host) for host in known.pop("hosts"))
        if "user_password_hash" not in known:  # a lab from before there were users
            known["user_password_hash"] = _hash(known["user_password"])
        return LabRecord(**known, hosts=hosts)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise LabError(
            f"{path} is damaged: remove it, and `down` finds what is left of the lab by its name"
        ) from None


def save(record: LabRecord) -> None:
    places.write(_path(record.name), json.dumps(asdict(record), indent=2) + "\n", mode=0o600)


def all_labs() -> list[LabRecord]:
    records = (load(directory.name) for directory in sorted(places.RUNTIME.glob("*")))
    return [record for record in records if record is not None]


def create(lab: str) -> LabRecord:
    """Begin a lab in this checkout, with a network of its own."""
    with places.locked(places.RUNTIME, "another lab is choosing its network"):
        taken = subnet.routed() + [other.subnet for other in all_labs()]
        password = secrets.token_urlsafe(16)
        record = LabRecord(
            name=lab,
            checkout=str(places.CHECKOUT),
            network=str(subnet.choose(taken)),
            client_secret=secrets.token_urlsafe(32),
            user_password=password,
            # Its salt is new each time, so it is kept: a second deploy has nothing to change.
            user_password_hash=_hash(password),
        )
        save(record)
    return record


def _hash(password: str) -> str:
    """As the server wants each: Argon2id as RFC 9106 §4 recommends where memory is short."""
    return PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4).hash(password)


def _path(lab: str) -> Path:
    return places.runtime(lab) / "record.json"
