"""A lab as a whole: brought up, taken down, cleaned up after."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.lab import (
    console,
    description,
    host,
    image,
    naming,
    network,
    places,
    prerequisites,
    proxy,
    record,
    services,
    sources,
    ssh,
    subnet,
    time_server,
)
from tests.lab.kinds import DEFAULT_KIND, KINDS
from tests.lab.machine import LabError
from tests.lab.record import HostRecord, LabRecord
from tests.lab.services import Services

_PROXY = "proxy"
_TIME = "time"


def up(lab: str, kinds: list[str] | None) -> LabRecord:
    """Have the lab running with hosts of these kinds, and give its record.

    What exists is kept: missing hosts are made, and what has stopped or crashed is started.
    Without kinds the lab keeps the hosts it has, or begins with one.
    """
    prerequisites.provide()
    with _held(lab):
        known = _owned(lab)
        if known is None:
            prerequisites.check_directory(places.runtime(lab))
            known = record.create(lab)
        known = _with_hosts(known, kinds)
        running = services.of(lab)
        if network.ensure(lab, known.subnet):
            running.stop(running.known())  # what still runs is cut off from the new bridge
        _ensure_proxy(known, running)
        _ensure_time(known, running)
        _ensure_hosts(known, running)
        description.write(known)
        for each in known.hosts:
            host.wait_until_ready(known, each, running)
    return known


def down(lab: str) -> bool:
    """Remove the lab and everything it made; tell whether there was anything.

    It goes by names that follow from the lab's, and so removes what a crash left half made.
    """
    running = services.of(lab)
    if not (places.runtime(lab).exists() or network.exists(lab) or running.known()):
        return False
    with _held(lab):
        known = _owned(lab, gone_is_ours=True)
        running.kill(running.known())
        network.remove(lab)
        if known is not None:
            for each in known.hosts:
                host.remove_leftovers(known, each)
            description.remove(known)
        places.remove_tree(places.runtime(lab))
    with suppress(OSError):  # other labs are there, or it is a mount point of the user's
        places.RUNTIME.rmdir()
    return True


def standing(lab: str) -> LabRecord:
    """Give the record of a lab of this checkout; raise LabError if there is none with a host."""
    known = _owned(lab)
    if known is None or not known.hosts:
        raise LabError(f"there is no lab {lab!r}: `make lab LAB={lab}` makes it")
    return known


def clean() -> None:
    """Remove what is kept between labs: images and packages. Raises LabError while a lab stands."""
    if labs := [known.name for known in record.all_labs()]:
        raise LabError(f"labs still stand on the cached images: take down {', '.join(labs)} first")
    if places.CACHE.exists():
        places.remove_tree(places.CACHE)


@contextmanager
def _held(lab: str) -> Iterator[None]:
    with places.locked(places.runtime(lab), f"another command is at work on the lab {lab!r}"):
        yield


def _owned(lab: str, *, gone_is_ours: bool = False) -> LabRecord | None:
    """Load the lab's record; raise LabError if the lab belongs to another checkout."""
    known = record.load(lab)
    if known is None or known.checkout == str(places.CHECKOUT):
        return known
    if gone_is_ours and not Path(known.checkout).exists():
        return known
    raise LabError(
        f"the lab {lab!r} belongs to the checkout {known.checkout}: "
        "take it down there, or choose another name"
    )


def _with_hosts(known: LabRecord, kinds: list[str] | None) -> LabRecord:
    """Record the hosts that the lab lacks; none is ever taken away."""
    present = [each.kind for each in known.hosts]
    wanted = kinds or present or [DEFAULT_KIND]
    shared = min(len(wanted), len(present))
    if wanted[:shared] != present[:shared]:
        raise LabError(
            f"the lab {known.name!r} has {', '.join(present)}, which {', '.join(wanted)} does not "
            "continue: take it down first, or choose another name"
        )
    if len(wanted) < len(present):
        console.note(
            f"the lab {known.name!r} keeps its {len(present)} hosts until it is taken down"
        )
    for number, kind in enumerate(wanted, start=1):
        if number > len(present):
            made = HostRecord(
                name=naming.host(known.name, number),
                kind=kind,
                image=str(image.ensure(KINDS[kind])),
                address=str(subnet.address(known.subnet, number)),
            )
            known = known.with_host(made)
    record.save(known)
    return known


def _ensure_hosts(known: LabRecord, running: Services) -> None:
    for each in known.hosts:
        host.create(known, each, ssh.public_key(known.name))
    alive = running.running()
    stopped = [each for each in known.hosts if each.name not in alive]
    if not stopped:
        return
    console.note(f"booting {', '.join(each.name for each in stopped)}")
    running.stop({each.name for each in stopped} & running.known())
    for each in stopped:
        host.remove_leftovers(known, each)
        host.start(known, each, running)


def _ensure_proxy(known: LabRecord, running: Services) -> None:
    if _PROXY in running.running():
        return
    running.stop({_PROXY} & running.known())
    mirrors: set[str] = set()
    for path in {each.image for each in known.hosts}:
        mirrors |= sources.mirrors_of(Path(path))
    settings = places.runtime(known.name) / "proxy.json"
    chosen = {
        "address": str(subnet.gateway(known.subnet)),
        "mirrors": sorted(mirrors),
        "cache": str(places.PACKAGES),
        "upstream": sources.apt_proxies(),
    }
    places.write(settings, json.dumps(chosen), mode=0o600)
    _start(known, running, _PROXY, proxy.__file__, str(settings))


def _ensure_time(known: LabRecord, running: Services) -> None:
    if _TIME not in running.running():
        running.stop({_TIME} & running.known())
        _start(known, running, _TIME, time_server.__file__, str(subnet.gateway(known.subnet)))


def _start(known: LabRecord, running: Services, service: str, program: str, argument: str) -> None:
    """By its path and isolated: it needs nothing but the standard library."""
    argv = [sys.executable, "-I", str(Path(program).resolve()), argument]
    running.start(service, argv, places.runtime(known.name) / f"{service}.log")
