"""What happens to a fleet in ten years: all that must not matter, at the worst moments."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from oauth_server.keys import ring as key_ring
from oauth_server.keys.entry import State
from oauth_server.keys.timing import Timing
from tests.simulation import oracle
from tests.simulation.host import Host, memory
from tests.simulation.lengths import LENGTHS
from tests.simulation.record import Seconds
from tests.simulation.world import World

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
YEAR = 365 * DAY
_HEARS = 15.0
"""A server hears of its ring, and of the others, within so many seconds."""


@contextmanager
def scenario(timing: Timing, seed: int) -> Iterator[Scenario]:
    with tempfile.TemporaryDirectory(dir=memory()) as directory:
        yield Scenario(Path(directory), timing, seed)


class Scenario:
    """Five hosts from the beginning; in the middle one joins, and then one leaves."""

    def __init__(self, directory: Path, timing: Timing, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - not for secrets
        self.world = World(directory, timing, LENGTHS)
        self._turns: dict[str, int] = {}
        self.emergencies = self.excused = self.kills = self.rotations = 0
        edge = LENGTHS.leeway / 2
        for number, offset in enumerate((-edge, edge, 0.0, self._offset(), self._offset())):
            self.world.hosts.append(Host(self.world, f"host-{number}", offset))
        for host in self.world.hosts:
            host.start()
        self.begin: Seconds = 2 * MINUTE
        self._tell()
        for host in self.world.hosts:
            self._begin(host)

    def run(self, years: float = 10.0) -> list[str]:
        """Every broken promise."""
        self.world.after(years / 2 * YEAR, self._join)
        self.world.after(years / 2 * YEAR + 30 * DAY, self._leave)
        self.world.until(years * YEAR)
        self.world.close()
        return list(oracle.faults(self.world.record, LENGTHS, self.begin))

    def explain(self, fault: str) -> Iterator[str]:
        """The fault, and what happened around it."""
        yield fault
        kids = {span.kid for span in self.world.record.signed if span.kid[:8] in fault}
        for kid in kids:
            spans = [span for span in self.world.record.signed if span.kid == kid]
            yield from self.world.record.around(kid, spans[-1].ends)

    def _offset(self) -> float:
        return self.random.uniform(-LENGTHS.leeway / 2, LENGTHS.leeway / 2)

    def _begin(self, host: Host) -> None:
        self.world.after(self.random.uniform(0, DAY), self._turn(host))
        self.world.after(self.random.expovariate(1 / (200 * DAY)), lambda: self._down(host))
        self.world.after(self.random.expovariate(1 / (300 * DAY)), lambda: self._emergency(host))

    def _note(self, host: Host, what: str) -> None:
        self.world.record.note(self.world.at, host.name, what)

    def _there(self, host: Host) -> bool:
        return host in self.world.hosts and host.server is not None

    # What a host does.

    def _timer(self, host: Host) -> None:
        if host not in self.world.hosts:
            return
        if host.server is None:
            return  # and tried when it is up again
        before, ring = host.active(), self._ring(host)
        host.server.look()  # as it does every two seconds: it has seen the ring a moment ago
        host.settle()  # what it does first
        if self.random.random() < 0.05:
            died = host.killed_in(host.timer, self.random)
        else:
            died = False
            host.timer()
        host.settle(tells=False)
        if host.active() != before:
            self.rotations += 1
            self._note(host, f"rotated from {str(before)[:8]} to {str(host.active())[:8]}")
            if self.random.random() < 0.3:
                self._stuck(host)
        turn = host.next_turn()
        late = self.random.uniform(0, 3 * MINUTE if turn <= 15 * MINUTE else 15 * MINUTE)
        self.world.after(turn + self.random.choice((0.0, late)), self._turn(host))
        if died:
            self._killed(host)
        elif self._ring(host) != ring or host.active() != before:
            self._tell()

    def _turn(self, host: Host) -> Callable[[], None]:
        """The timer's next turn: one that was put off is none."""
        self._turns[host.name] = number = self._turns.get(host.name, 0) + 1

        def turn() -> None:
            if self._turns[host.name] == number:
                self._timer(host)

        return turn

    def _killed(self, host: Host) -> None:
        self.kills += 1
        self._note(host, "killed")
        if self.random.random() < 0.5:
            self._stop(host)
        else:
            # The server lives on with what it finds, and the next run is the timer's.
            self._tell()
            self.world.after(self.random.uniform(1, 15 * MINUTE), self._turn(host))

    def _emergency(self, host: Host) -> None:
        if host not in self.world.hosts:
            return
        self.world.after(self.random.expovariate(1 / (300 * DAY)), lambda: self._emergency(host))
        self._declare(host)

    def _declare(self, host: Host) -> None:
        if not self._there(host):
            return
        if self.random.random() < 0.3:  # just after a rotation, if there may be one
            host.timer()
        entries = key_ring.read(host.keys / "ring")
        stolen = self.random.choice([e for e in entries if e.state is not State.PENDING])
        self._note(host, f"emergency: {stolen.kid[:8]}, {stolen.state.value}")
        if self.random.random() < 0.2 and host.killed_in(
            lambda: host.emergency(stolen.kid), self.random
        ):
            host.excused = self.world.at + LENGTHS.cache + 3 * DAY
            host.settle(tells=False)
            self._killed(host)
            return
        done = host.emergency(stolen.kid) if stolen.kid in self._ring(host) else None
        self.emergencies += 1
        if done is not None and stolen.is_active:
            known = done.known_from
            if done.missing or known is None:
                # It names who does not publish the key yet: who asks there may refuse.
                host.excused = self.world.at + LENGTHS.cache + 6 * DAY
                self.excused += 1
            elif known > host.now():
                host.excused = self.world.at + (known - host.now()).total_seconds()
                self.excused += 1
        host.settle()
        self._tell()
        self.world.after(self.random.uniform(0, 15 * MINUTE), self._turn(host))
        self.world.after(5 * MINUTE, lambda: self._impatient(host))

    def _impatient(self, host: Host) -> None:
        """An operator who rotates once more, as soon as the command lets them."""
        if not self._there(host):
            return
        wait = host.may_rotate_in()
        if wait is not None:
            self.world.after(max(wait, 0.0), lambda: self._rotate(host))

    def _rotate(self, host: Host) -> None:
        if self._there(host) and host.rotate():
            self._note(host, f"rotated by hand to {str(host.active())[:8]}")
            host.settle()
            self._tell()

    def _ring(self, host: Host) -> set[str]:
        return {path.name for path in key_ring.entries(host.keys / "ring")}

    def _stuck(self, host: Host) -> None:
        """A server that cannot read its ring, from before it could have heard of a rotation."""
        assert host.server is not None
        longest = self.random.choice((0.0, LENGTHS.cache))
        length = longest + self.random.uniform(1, 9 * MINUTE)
        blind = self.random.random() < 0.3
        host.server.break_down(length, blind=blind)
        self._note(host, f"its server cannot read {'anything' if blind else 'the ring'}")
        self.world.after(length, self._tell)
        if self.random.random() < 0.2:
            self.world.after(self.random.uniform(0, length), lambda: self._declare(host))
        self.world.after(self._stops_in(host), lambda: self._sign(host))

    def _stops_in(self, host: Host) -> Seconds:
        """When the server says of itself that it may not sign any more."""
        assert host.server is not None
        begin = self.world.at
        low, high = 0.0, 4 * LENGTHS.cache
        while high - low > 0.001:
            middle = (low + high) / 2
            self.world.at = begin + middle
            low, high = (low, middle) if host.server.follower.is_stale() else (middle, high)
        self.world.at = begin
        return high

    def _sign(self, host: Host) -> None:
        if self._there(host):
            assert host.server is not None
            host.server.sign()

    def _down(self, host: Host) -> None:
        if host not in self.world.hosts:
            return
        self.world.after(self.random.expovariate(1 / (200 * DAY)), lambda: self._down(host))
        self._stop(host)

    def _stop(self, host: Host) -> None:
        if host.server is None:
            return
        host.stop()
        self._note(host, "is down")
        away = self.random.choice((1.0, HOUR, 12 * HOUR, 3 * DAY, 5 * DAY)) * self.random.random()
        self.world.after(1 + away, lambda: self._start(host))

    def _start(self, host: Host) -> None:
        if host.server is not None or host not in self.world.hosts:
            return
        self._look()  # within the hour each has said again what it publishes
        host.start()
        self._note(host, "is up")
        self._tell()
        self.world.after(self.random.uniform(0, 15 * MINUTE), self._turn(host))

    # What all hear.

    def _look(self) -> None:
        for host in self.random.sample(self.world.hosts, len(self.world.hosts)):
            if host.server is not None:
                host.server.look()

    def _tell(self) -> None:
        """Soon all have heard what is new: first of rings, then of each other, then of that."""
        for round_ in range(3):
            self.world.after((round_ + self.random.random()) * _HEARS, self._look)

    # The inventory, and a deploy of it.

    def _deploy(self) -> None:
        for host in self.world.hosts:
            if host.server is not None:
                host.server.reload(self.world.fleet_of(host))
        self._tell()

    def _join(self) -> None:
        joining = Host(self.world, "host-joined", self._offset(), joining=True)
        self.world.hosts.append(joining)
        self._deploy()
        joining.start()
        self._tell()
        self._begin(joining)

    def _leave(self) -> None:
        """In a deploy of its own; it signs until somebody switches it off."""
        leaving = self.random.choice(self.world.hosts)
        self._note(leaving, "leaves")
        self.world.hosts.remove(leaving)
        self._deploy()
        self.world.after(LENGTHS.cache, leaving.stop)
        # The last moment at which one of its tokens is good.
        last = LENGTHS.cache + LENGTHS.lifetime + LENGTHS.leeway
        self.world.after(last - 1, self._look)
