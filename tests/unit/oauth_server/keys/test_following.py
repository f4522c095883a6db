"""A server that cannot see its ring signs for a while longer, and then no more."""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from oauth_server.errors import UnavailableError
from oauth_server.keys import following, lifecycle, ring, served
from oauth_server.keys.following import Follower
from oauth_server.keys.jose import PrivateKey
from oauth_server.keys.ring import KeyRing
from oauth_server.keys.served import ServedFile
from oauth_server.keys.signer import ConfirmedSigner, FileSigner
from oauth_server.models import Algorithm
from tests.unit.oauth_server.keys import rings
from tests.unit.oauth_server.keys.rings import POLICY, START

pytestmark = pytest.mark.anyio
STALE = timedelta(hours=12)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Watched:
    """A server's ring, and a clock that tests set."""

    directory: Path
    ring: KeyRing
    now: float = 0.0
    broken: bool = False
    takeovers: int = 0
    follower: Follower = field(init=False)

    def __post_init__(self) -> None:
        self.follower = Follower(
            self.directory / "keys",
            ring=lambda: self.ring,
            stale=lambda: STALE,
            take_over=self.take_over,
            withhold=self.withhold,
            served=ServedFile(self.directory / served.FILE),
            clock=lambda: self.now,
        )

    async def take_over(self) -> None:
        self.takeovers += 1
        if not self.broken:
            self.ring = ring.load(self.directory / "keys")

    async def withhold(self, kids: Collection[str]) -> None:
        self.ring = self.ring.without(kids)

    def emergency(self) -> str:
        keys = self.directory / "keys"
        kid = rings.active(keys).kid
        lifecycle.emergency(keys, POLICY, START, rings.served(keys, START), kid)
        return kid

    def rotate(self) -> None:
        rings.rotated(self.directory / "keys", START + timedelta(days=1))


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    lifecycle.init(tmp_path / "keys", POLICY, START)
    return Watched(tmp_path, ring.load(tmp_path / "keys"))


async def test_a_ring_that_is_the_same_is_not_loaded_again(watched: Watched) -> None:
    for _ in range(3):
        await watched.follower.look()
    assert watched.takeovers == 0


async def test_each_change_is_taken_over(watched: Watched) -> None:
    keys = watched.directory / "keys"
    watched.rotate()
    await watched.follower.look()
    assert watched.ring.signs_with == (rings.active(keys).kid, Algorithm.EDDSA)
    lifecycle.retire(keys, POLICY, START + timedelta(days=9))
    await watched.follower.look()
    assert watched.takeovers == 2
    assert len(watched.ring.published) == 2


async def test_a_confirmed_key_is_never_stale(watched: Watched) -> None:
    for _ in range(3):
        watched.now += STALE.total_seconds() + 1
        assert watched.follower.is_stale()
        await watched.follower.look()
        assert not watched.follower.is_stale()


@pytest.mark.parametrize("how", ["gone", "broken"])
async def test_a_ring_that_cannot_be_used_confirms_nothing(watched: Watched, how: str) -> None:
    await watched.follower.look()
    if how == "gone":
        shutil.rmtree(watched.directory / "keys" / "ring")
    else:
        watched.rotate()
        watched.broken = True
    watched.now = STALE.total_seconds()
    await watched.follower.look()
    assert not watched.follower.is_stale()
    watched.now += 1
    await watched.follower.look()
    assert watched.follower.is_stale()


async def test_a_broken_key_beside_the_active_one_stops_nobody(watched: Watched) -> None:
    """The ring still says that this one signs."""
    (watched.directory / "keys" / "ring" / "strange").mkdir()
    watched.broken = True
    watched.now = STALE.total_seconds() + 1
    await watched.follower.look()
    assert not watched.follower.is_stale()


@pytest.mark.parametrize("how", ["gone", "broken"])
async def test_without_a_ring_what_was_removed_in_an_emergency_is_believed_no_more(
    watched: Watched, how: str
) -> None:
    """It would publish the key for as long as it cannot read the ring, and sign with it."""
    await watched.follower.look()
    published = watched.ring.kids
    stolen = watched.emergency()
    watched.broken = True
    ring_directory = watched.directory / "keys" / "ring"
    if how == "gone":
        ring_directory.rename(ring_directory.with_name("elsewhere"))
    for _ in range(2):
        await watched.follower.look()
        assert watched.ring.kids == published - {stolen}
        assert watched.follower.is_stale()
    if how == "gone":
        ring_directory.with_name("elsewhere").rename(ring_directory)
    watched.broken = False
    await watched.follower.look()
    assert not watched.follower.is_stale()
    assert watched.ring.signs_with == (
        rings.active(watched.directory / "keys").kid,
        Algorithm.EDDSA,
    )


async def test_where_nothing_can_be_read_a_server_goes_on_and_says_it_once(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    await watched.follower.look()
    published = watched.ring.kids
    shutil.rmtree(watched.directory / "keys" / "ring")
    (watched.directory / "keys" / "removed.json").write_text("{")
    for _ in range(2):
        await watched.follower.look()
    assert watched.ring.kids == published
    assert caplog.text.count("removed.json: is not what the ring writes") == 1


async def test_a_stale_signer_refuses_and_signs_again_when_the_ring_is_back() -> None:
    stale = [False]
    signer = ConfirmedSigner(FileSigner(PrivateKey.generate(Algorithm.EDDSA)), lambda: stale[0])
    assert await signer.sign("at+jwt", {})
    stale[0] = True
    with pytest.raises(UnavailableError) as no_room:
        signer.check_room()
    with pytest.raises(UnavailableError) as unsigned:
        await signer.sign("at+jwt", {})
    assert no_room.value.reason == unsigned.value.reason == "ring_stale"
    stale[0] = False
    signer.check_room()
    assert await signer.sign("at+jwt", {})
    signer.close()


async def test_what_is_served_is_written_down_with_the_time_that_it_began(
    watched: Watched,
) -> None:
    await watched.follower.look()
    file = watched.directory / served.FILE
    first = json.loads(file.read_text())
    assert first["active"] == rings.active(watched.directory / "keys").kid
    assert set(first["served"]) == {key.kid for key in watched.ring.published}
    watched.rotate()
    await watched.follower.look()
    # A server that starts anew keeps what the one before it wrote.
    again = Watched(watched.directory, watched.ring)
    await again.follower.look()
    second = json.loads(file.read_text())
    assert first["served"].items() <= second["served"].items()
    assert len(second["served"]) == 3


async def test_where_it_cannot_be_written_the_server_serves_on_and_says_it_once(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    (watched.directory / ".served.json.new").mkdir()
    for _ in range(3):
        await watched.follower.look()
    assert not watched.follower.is_stale()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"{watched.directory}/served.json: cannot be written: ")


async def test_what_nobody_expected_does_not_end_the_following_and_is_said_once(
    watched: Watched, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server would go on with its old key, and one day stop to sign."""
    monkeypatch.setattr(following, "_EVERY", 0.0)
    looks = 0

    async def fail() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise asyncio.CancelledError
        raise PermissionError(errno.EACCES, "Permission denied")

    watched.follower = Follower(
        watched.directory / "keys",
        ring=lambda: watched.ring,
        stale=lambda: STALE,
        take_over=fail,
        withhold=watched.withhold,
        served=ServedFile(watched.directory / served.FILE),
    )
    watched.rotate()
    with pytest.raises(asyncio.CancelledError):
        await watched.follower.follow()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == "the ring is not followed: PermissionError(13, 'Permission denied')"
