"""The worst moment for each length: what ten years of chance meet rarely, and not to the second.

A drill says which promises were broken. Clocks, caches and hosts are set so that a length has no
room left: whoever verifies has a set that is as old as may be, and a clock that is as far off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from oauth_server.keys import ring as key_ring
from oauth_server.keys.timing import Timing
from tests.simulation import oracle
from tests.simulation.host import Host
from tests.simulation.oracle import Lengths
from tests.simulation.record import Seconds, shown
from tests.simulation.world import World

HOUR, DAY = 3600.0, 86400.0
_HEARS = 5.0
"""What one server says the others hear so much later."""
_TIMER = 18 * 60.0
"""The timer's quarter of an hour, and what it may be late."""


class Drill:
    """Three hosts; every cache knows all their keys."""

    def __init__(self, directory: Path, timing: Timing, lengths: Lengths) -> None:
        self.lengths = lengths
        self.world = World(directory, timing, lengths)
        edge = lengths.leeway / 2
        for number, offset in enumerate((-edge, edge, -edge)):
            self.world.hosts.append(Host(self.world, f"host-{number}", offset))
        for host in self.world.hosts:
            host.start()
        self.host = self.world.hosts[0]
        self.hear()
        self._begin = self.world.at
        self.wait(2 * DAY)

    @property
    def now(self) -> Seconds:
        return self.world.at

    def wait(self, seconds: Seconds) -> None:
        self.world.until(self.now + seconds)
        self.look()

    def look(self) -> None:
        for host in self.world.hosts:
            if host.server is not None:
                host.server.look()

    def hear(self) -> None:
        """What is new: of the own ring, of each other, and of that."""
        for _ in range(3):
            self.wait(_HEARS)

    def until(self, moment: datetime) -> None:
        """By the clock of the first host."""
        self.world.until(self.now + (moment - self.host.now()).total_seconds())

    def turn(self) -> None:
        """The timer of the first host."""
        self.host.timer()
        self.host.settle()
        self.look()
        self.hear()

    def turns(self, length: Seconds) -> None:
        end = self.now + length
        while (due := self.now + self.host.next_turn()) < end:
            self.world.until(due)
            self.turn()
        self.world.until(end)

    def broken(self) -> Sequence[str]:
        return list(oracle.faults(self.world.record, self.lengths, self._begin))


def publication(drill: Drill) -> Iterator[str]:
    """A new key signs as soon as the command lets it: somebody has a set from before it was new."""
    assert drill.host.rotate()
    drill.hear()
    wait = drill.host.may_rotate_in()
    assert wait is not None
    drill.wait(wait)
    assert drill.host.rotate()
    drill.look()
    drill.wait(DAY)
    yield from drill.broken()


def staleness(drill: Drill) -> Iterator[str]:
    """A server does not notice a rotation, and signs with the old key for as long as it may."""
    host, server = drill.host, drill.host.server
    assert server is not None
    drill.wait(0.5)
    assert host.rotate()
    rotated = drill.now
    server.break_down(drill.lengths.cache + 5 * 60, blind=False)
    drill.wait(drill.lengths.cache - 1)
    if server.follower.is_stale():
        yield f"{host.name} signs no more at {shown(drill.now)}, and rotated at {shown(rotated)}"
    while not server.follower.is_stale():
        drill.world.until(drill.now + 0.1)
    server.sign()
    drill.world.until(server.in_trouble_until)
    drill.hear()
    # The timer takes the key away at the first moment at which it may.
    drill.turns(2 * drill.lengths.cache + DAY)
    yield from drill.broken()


def revocation(drill: Drill) -> Iterator[str]:
    """A server that can read nothing publishes the key, and goes down with its host.

    Just before the timer would have revoked it once more. The slowest clock says how long, and the
    fastest when that is over.
    """
    host, server = drill.host, drill.host.server
    assert server is not None
    kid = host.active()
    assert kid is not None
    server.break_down(DAY, blind=True)
    host.emergency(kid)
    host.settle()
    told = drill.now
    drill.hear()
    drill.world.until(told + _TIMER - 1)
    host.stop()
    drill.wait(DAY)
    yield from drill.broken()


def withholding(drill: Drill) -> Iterator[str]:
    """The server cannot load the ring from which the key was removed."""
    yield from _emergency_in_trouble(drill, blind=False)


def renewal(drill: Drill) -> Iterator[str]:
    """The server cannot even read what was removed, and says until the end that the key is good."""
    yield from _emergency_in_trouble(drill, blind=True)


def _emergency_in_trouble(drill: Drill, *, blind: bool) -> Iterator[str]:
    host, server = drill.host, drill.host.server
    assert server is not None
    kid = host.active()
    assert kid is not None
    length = 2 * drill.lengths.cache + HOUR
    server.break_down(length - 1, blind=blind)
    host.emergency(kid)
    host.settle()
    drill.hear()
    drill.turns(length)
    drill.hear()
    drill.turns(HOUR)
    yield from drill.broken()


def departure(drill: Drill) -> Iterator[str]:
    """A host signs until it must have been switched off; the clock of one that stays is set."""
    stays, leaves = drill.host, drill.world.hosts[-1]
    left = drill.now
    drill.world.hosts.remove(leaves)
    for host in drill.world.hosts:
        assert host.server is not None
        host.server.reload(drill.world.fleet_of(host))
    drill.wait(drill.lengths.cache)
    leaves.stop()
    stays.offset += drill.lengths.leeway
    drill.world.until(
        left + drill.lengths.cache + drill.lengths.lifetime + drill.lengths.leeway - 1
    )
    drill.look()
    drill.wait(DAY)
    yield from drill.broken()


def second_emergency(drill: Drill) -> Iterator[str]:
    """A key is stolen in the moment in which it begins to sign."""
    host = drill.host
    (activated,) = [
        found.times.activated for found in key_ring.read(host.keys / "ring") if found.is_active
    ]
    assert activated is not None
    before, timing = host.active(), drill.world.timing
    for moment in (timing.second_pending(activated), timing.due(activated)):
        drill.until(moment)
        drill.turn()
    kid = host.active()
    assert kid is not None
    assert kid != before
    done = host.emergency(kid)
    if done.known_from is None or done.known_from > host.now():
        yield f"{done.active} signs, and caches do not know it before {done.known_from}"
