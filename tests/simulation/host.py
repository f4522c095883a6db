"""A host of the fleet: a ring on a disk, a clock of its own, and a server that runs or does not."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from oauth_server.errors import OperatorError
from oauth_server.fleet import announcement, identity
from oauth_server.fleet.members import Fleet, Member
from oauth_server.fleet.membership import Membership, Published
from oauth_server.keys import disk, lifecycle, removed, revoking, served
from oauth_server.keys import ring as key_ring
from oauth_server.keys.following import Follower
from oauth_server.keys.jose import PrivateKey, PublicKey
from oauth_server.keys.layout import MODES, PRIVATE
from oauth_server.keys.lifecycle import NotReadyError
from oauth_server.keys.removed import Reason
from oauth_server.keys.ring import KeyRing
from oauth_server.keys.served import ServedFile
from oauth_server.keys.source import FileKeys
from oauth_server.keys.transitions import Policy
from oauth_server.models import Algorithm
from tests.simulation.record import Seconds, Span
from tests.unit.oauth_server.keys.killing import killed

if TYPE_CHECKING:
    from tests.simulation.world import World

ISSUER = "https://auth.example.com"


class Host:
    """`offset` is what its clock is ahead of the true time, in seconds."""

    def __init__(self, world: World, name: str, offset: float, *, joining: bool = False) -> None:
        self.world, self.name, self.offset = world, name, offset
        self.directory = world.directory / name
        self.directory.mkdir()
        self.keys = self.directory / "keys"
        self.state = self.directory / "fleet-state.json"
        self.policy = Policy(Algorithm.EDDSA, world.timing, SeededKeys(self))
        self.server: Server | None = None
        self.excused = float("-inf")
        """Until when the last emergency here said that caches may refuse the key that signs."""

        lifecycle.init(self.keys, self.policy, self.now(), joining=joining)
        self.member = Member(name, identity.establish(self.keys).public)

    def now(self) -> datetime:
        return self.world.epoch + timedelta(seconds=self.world.at + self.offset)

    def served(self) -> served.Served:
        return served.load(self.directory / served.FILE, self.world.fleet_of(self).hosts)

    def start(self) -> None:
        self.server = Server(self)

    def stop(self) -> None:
        if self.server is not None:
            self.server = None
            self.world.record.publish(self.world.at, self.name, None)
            self.world.record.sign(self.world.at, self.name, None, 0)

    def timer(self) -> None:
        """What oauth-key-rotate.service does."""
        now = self.now()
        lifecycle.retire(self.keys, self.policy, now)
        lifecycle.prepare(self.keys, self.policy, now)
        due = lifecycle.due(key_ring.read(self.keys / "ring"), self.policy)
        if due is None or due <= now:
            try:
                lifecycle.rotate(self.keys, self.policy, now, self.served())
            except NotReadyError as error:
                self.world.record.note(self.world.at, self.name, str(error))

    def rotate(self) -> bool:
        """`keys rotate`; whether it did."""
        try:
            done = lifecycle.rotate(self.keys, self.policy, self.now(), self.served())
        except NotReadyError:
            return False
        return done.happened

    def may_rotate_in(self) -> float | None:
        """Seconds until `keys rotate` would; None if some server does not publish the key yet."""
        found = lifecycle.candidate(key_ring.read(self.keys / "ring"), self.policy, self.served())
        if found is None or found[1].missing or found[1].at is None:
            return None
        return (found[1].at - self.now()).total_seconds()

    def next_turn(self) -> float:
        """Seconds until something is due here: in truth the timer looks each quarter of an hour."""
        now, timing = self.now(), self.policy.timing
        moments = []
        for found in key_ring.read(self.keys / "ring"):
            if found.is_active and found.times.activated is not None:
                moments += [timing.due(found.times.activated)]
                moments += [timing.second_pending(found.times.activated)]
            if (until := found.until(timing)) is not None:
                moments.append(until)
        if revoking.to_revoke(self.keys, self.policy, now, self.served()):
            return 900.0
        late = any(moment <= now for moment in moments) or self.active() is None
        ahead = [(moment - now).total_seconds() for moment in moments if moment > now]
        return 3600.0 if late else min([*ahead, 30 * 86400.0])

    def emergency(self, kid: str) -> lifecycle.Emergency:
        return lifecycle.emergency(self.keys, self.policy, self.now(), self.served(), kid)

    def active(self) -> str | None:
        link = self.keys / "ring/active"
        return str(link.readlink()) if link.is_symlink() else None

    def killed_in(self, act: Callable[[], object], random_: random.Random) -> bool:
        """Whether it was killed: at one of the moments in which it is about to change something."""
        return killed(self.keys, random_.randrange(1, 60), act)

    def settle(self, *, tells: bool = True) -> None:
        """Note what became of keys; as `keys` does, tell the store what an emergency revokes."""
        record, at = self.world.record, self.world.at
        for line in removed.load(self.keys):
            if line.reason is Reason.EXPIRED:
                record.expired.setdefault(line.kid, at)
            if line.reason is Reason.EMERGENCY:
                record.doomed.setdefault(line.kid, at)
        if not tells:
            return
        now = self.now()
        for one in revoking.to_revoke(self.keys, self.policy, now, self.served()):
            if not one.known:
                said = announcement.of_ring(self.keys, self.state, self.name, ISSUER, now)
                self.world.run(self.world.board.announce(self.name, said))
            revoking.note(self.keys, one)
            record.remove(self.name, one.kid, at, self.world.passed_everywhere(one.until))


class SeededKeys(FileKeys):
    """Keys that follow from who makes them when, so that a seed is the same story each time."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._made = 0

    def generate(self, algorithm: Algorithm, staging: Path) -> PublicKey:
        assert algorithm is Algorithm.EDDSA
        self._made += 1
        place = f"{self._host.name} {self._host.world.at} {self._made}"
        material = hashlib.sha256(place.encode()).digest()
        key = PrivateKey(Ed25519PrivateKey.from_private_bytes(material), algorithm)
        disk.write_new(staging / PRIVATE, key.to_pem(), MODES[PRIVATE])
        return key.public


class Server:
    """What runs: the code that follows the ring and the fleet, without what answers requests.

    `broken_until` is until when it can load no new ring, `blind_until` until when it can read
    nothing of its keys.
    """

    def __init__(self, host: Host) -> None:
        self.host, self.world = host, host.world
        self.broken_until = self.blind_until = float("-inf")
        self.ring: KeyRing = key_ring.load(host.keys)
        self.kids: Collection[str] = ()
        self.membership = Membership(
            self.world.board,
            host.state,
            issuer=ISSUER,
            leeway=self.world.timing.leeway,
            grace=lambda: self.world.timing.departed,
            identity=lambda: identity.load(host.keys),
            banned=self._banned,
            published=lambda: Published(self.ring.published, self.kids),
            take_over=self._take_over_fleet,
            now=host.now,
        )
        self.membership.join(self.world.fleet_of(host))
        self.world.run(self.membership.listen())
        self.follower = Follower(
            host.keys,
            ring=lambda: self.ring,
            stale=lambda: self.world.timing.stale,
            take_over=self._take_over_ring,
            withhold=self._withhold,
            served=ServedFile(host.directory / served.FILE),
            fleet=lambda: (host.name, self.membership.serves()),
            clock=lambda: self.world.at,
            now=host.now,
        )
        self._publish()

    @property
    def in_trouble_until(self) -> Seconds:
        return max(self.broken_until, self.blind_until)

    def look(self) -> None:
        self._follow()
        with suppress(OperatorError):  # as it goes on when it cannot read what was removed
            self.world.run(self.membership.look())
        self._follow()  # and writes down what the others said
        self.sign()

    def _follow(self) -> None:
        if self.world.at >= self.blind_until:
            self.world.run(self.follower.look())

    def break_down(self, length: Seconds, *, blind: bool) -> None:
        """From now on it cannot load a ring, or can read nothing."""
        end = self.world.at + length
        if blind:
            self.blind_until = end
            blinds = self.world.record.blind.setdefault(self.host.name, [])
            blinds.append(Span(self.world.at, end))
        else:
            self.broken_until = end

    def reload(self, fleet: Fleet) -> None:
        self.membership.join(fleet)
        self.look()

    def sign(self) -> None:
        signs = None if self.ring.active is None else self.ring.active.public.kid
        if self.follower.is_stale():
            signs = None
        self.world.record.sign(self.world.at, self.host.name, signs, self.host.excused)

    async def _take_over_ring(self) -> None:
        if self.world.at >= self.broken_until:
            self.ring = key_ring.load(self.host.keys)
            self._publish()

    async def _withhold(self, kids: Collection[str]) -> None:
        self.ring = self.ring.without(kids)
        self._publish()

    def _banned(self) -> Collection[str]:
        if self.world.at < self.blind_until:
            raise OperatorError("removed.json: cannot be read")
        return removed.emergencies(self.host.keys)

    async def _take_over_fleet(self) -> None:
        self._publish()

    def _publish(self) -> None:
        own = self.ring.kids
        self.kids = own | {key.kid for key in self.membership.foreign(own)}
        self.world.record.publish(self.world.at, self.host.name, self.kids)
        self.sign()


def memory() -> Path | None:
    """Where a file costs nothing."""
    path = Path("/dev/shm")
    return path if path.is_dir() else None
