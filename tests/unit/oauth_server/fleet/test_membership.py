from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from oauth_server.errors import OperatorError, UnavailableError
from oauth_server.fleet import membership, record, statement
from oauth_server.fleet.members import Fleet
from oauth_server.fleet.membership import Membership, Published
from oauth_server.fleet.statement import Statement
from oauth_server.keys import jwk
from oauth_server.keys.jose import PrivateKey
from oauth_server.models import Algorithm
from oauth_server.store.memory import MemoryStore
from tests.unit.oauth_server.fleet.hosts import DAY, HOUR, ISSUER, NOW, SECOND, Host, key

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Board:
    """A store that can be away, and counts what is said."""

    def __init__(self) -> None:
        self._store = MemoryStore()
        self.away = False
        self.said: list[str] = []

    async def announce(self, host: str, statement: str) -> None:
        self._check()
        self.said.append(host)
        await self._store.announce(host, statement)

    async def announcements(self, hosts: Sequence[str]) -> Mapping[str, str]:
        self._check()
        return await self._store.announcements(hosts)

    def _check(self) -> None:
        if self.away:
            raise UnavailableError("away", reason="store_connection")


class Member:
    """One server, without what serves: `published` is what it would."""

    def __init__(self, host: Host, board: Board, directory: Path) -> None:
        self.host = host
        self.now = NOW
        self.published: set[str] = set(host.kids)
        self.refused: list[str] = []
        self.banned: set[str] = set()
        self.lost_identity = False
        self.damaged = False
        self.membership = Membership(
            board,
            directory / f"{host.name}.json",
            issuer=ISSUER,
            leeway=timedelta(seconds=30),
            grace=lambda: 13 * HOUR,
            identity=self._identity,
            banned=self._banned,
            published=lambda: Published(host.keys, self.published),
            take_over=self._take_over,
            refused=self.refused.append,
            now=lambda: self.now,
        )

    def _identity(self) -> PrivateKey:
        if self.lost_identity:
            raise OperatorError("identity.pem: No such file or directory")
        return self.host.identity

    def _banned(self) -> set[str]:
        if self.damaged:
            raise OperatorError("removed.json: is not what the ring writes")
        return self.banned

    async def _take_over(self) -> None:
        own = self.host.kids
        self.published = own | {public.kid for public in self.membership.foreign(own)}

    def join(self, *others: Host) -> None:
        self.membership.join(Fleet(self.host.name, tuple(other.member() for other in others)))


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def pair(board: Board, tmp_path: Path) -> tuple[Member, Member]:
    one, two = Member(Host("one"), board, tmp_path), Member(Host("two"), board, tmp_path)
    one.join(one.host, two.host)
    two.join(one.host, two.host)
    return one, two


async def turns(*members: Member, at: datetime | None = None, times: int = 2) -> None:
    for _ in range(times):
        for member in members:
            if at is not None:
                member.now = at
            await member.membership.look()


async def test_two_servers_publish_each_others_keys_and_say_so(pair: tuple[Member, Member]) -> None:
    one, two = pair
    await turns(one, two)
    everything = one.host.kids | two.host.kids
    assert one.published == two.published == everything
    await turns(one, two, times=1)
    assert one.membership.serves()["two"] == one.host.kids
    assert two.membership.serves()["one"] == two.host.kids


async def test_a_key_that_is_published_for_another_algorithm_is_not_acknowledged(
    board: Board, tmp_path: Path
) -> None:
    """A member that was broken into was heard first; the owner's tokens would be refused there."""
    victim = Member(Host("victim", keys=[key(Algorithm.RS256)]), board, tmp_path)
    third, thief = Member(Host("third"), board, tmp_path), Host("thief")
    (wanted,) = victim.host.keys
    thief.keys = [jwk.read({**wanted.to_jwk(), "alg": "PS256"})]
    for member in (victim, third):
        member.join(victim.host, third.host, thief)
    await board.announce("thief", thief.says())
    await turns(third, times=1)
    await turns(victim, third, victim)
    assert wanted.kid in third.published
    assert victim.membership.serves()["third"] == set()
    thief.keys = []
    await board.announce("thief", thief.says(NOW + SECOND))
    await turns(third, at=NOW + SECOND)
    await turns(victim, third, victim, at=NOW + HOUR)  # the owner says it again
    assert victim.membership.serves()["third"] == {wanted.kid}


async def test_nothing_is_said_twice_within_the_hour(
    pair: tuple[Member, Member], board: Board
) -> None:
    await turns(*pair, times=3)
    said = len(board.said)
    await turns(*pair, at=NOW + HOUR - SECOND)
    assert len(board.said) == said
    await turns(*pair, at=NOW + HOUR)
    assert len(board.said) == said + 2


async def test_a_new_key_is_heard_at_the_next_look(pair: tuple[Member, Member]) -> None:
    one, two = pair
    await turns(one, two)
    one.host.keys.append(key())
    one.published |= one.host.kids
    await turns(one, two, times=1)
    assert one.host.kids <= two.published


async def test_what_was_heard_outlives_a_restart_and_so_does_its_place(
    pair: tuple[Member, Member], board: Board, tmp_path: Path
) -> None:
    one, two = pair
    await turns(one, two)
    old = (await board.announcements(["one"]))["one"]
    removed = one.host.keys.pop()
    one.published = one.host.kids
    await turns(one, two, at=NOW + SECOND)
    assert removed.kid not in two.published
    # The attacker waits for a restart, and for a moment without the store.
    await board.announce("one", old)
    again = Member(two.host, board, tmp_path)
    again.now = NOW + 2 * SECOND
    again.join(one.host)
    await turns(again, times=1)
    assert again.refused == ["sequence"]
    assert again.published == one.host.kids | two.host.kids


async def test_a_store_that_is_away_is_said_once_and_changes_nothing(
    pair: tuple[Member, Member], board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = pair
    await turns(one, two)
    published = set(one.published)
    board.away = True
    with caplog.at_level(logging.ERROR):
        await turns(one, at=NOW + 2 * DAY, times=3)
    assert one.published == published
    lines = [entry.getMessage() for entry in caplog.records]
    assert lines == [
        "the fleet is not heard: store_connection",
        "the fleet is not told: store_connection",
    ]
    board.away = False
    await turns(one, two, at=NOW + 2 * DAY)
    assert two.membership.heard()["one"] < 1


async def test_what_somebody_else_wrote_in_ones_name_is_taken_back(
    pair: tuple[Member, Member], board: Board
) -> None:
    one, two = pair
    await turns(one, two, times=3)
    await board.announce("one", "a.b.c")
    await two.membership.look()
    assert two.refused == ["malformed"]
    await turns(one, two, times=1)
    assert (await board.announcements(["one"]))["one"] != "a.b.c"
    assert two.refused == ["malformed"]


async def test_a_server_speaks_after_its_hosts_command_even_if_the_clock_was_set_back(
    pair: tuple[Member, Member], board: Board, tmp_path: Path
) -> None:
    one, two = pair
    await turns(one, two)
    one.now -= timedelta(seconds=30)
    place = record.load(tmp_path / "one.json", ISSUER).sequence
    said = Statement("one", ISSUER, place + 1, int(one.now.timestamp()), one.host.keys, ())
    await board.announce("one", statement.sign(one.host.identity, said))
    await two.membership.look()
    assert not two.membership.serves()["one"]
    await turns(one, two, times=1)
    assert two.membership.serves()["one"] == {key.kid for key in two.host.keys}


async def test_a_key_that_was_removed_here_in_an_emergency_is_taken_from_nobody(
    pair: tuple[Member, Member],
) -> None:
    one, two = pair
    two.banned = {one.host.keys[0].kid}
    await turns(one, two)
    assert two.published == (one.host.kids | two.host.kids) - two.banned


async def test_without_its_identity_a_host_is_silent_and_hears(
    pair: tuple[Member, Member], board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = pair
    two.lost_identity = True
    await turns(one, two)
    assert "two" not in board.said
    assert two.published == one.host.kids | two.host.kids
    assert "identity.pem: No such file or directory" in caplog.text


async def test_a_list_of_removed_keys_that_is_damaged_is_said_once(
    pair: tuple[Member, Member], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line; and it is nothing to a server that has heard of nobody."""
    one, two = pair
    one.damaged = two.damaged = True
    await turns(one, times=1)
    assert one.published == one.host.kids
    monkeypatch.setattr(membership, "EVERY", timedelta(seconds=0.01))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(two.membership.take_part(), 0.2)
    assert [entry.getMessage() for entry in caplog.records] == [
        "removed.json: is not what the ring writes"
    ]


async def test_a_state_that_is_damaged_is_learnt_anew(
    board: Board, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "one.json").write_text("{")
    one = Member(Host("one"), board, tmp_path)
    assert "one.json: is not what the server writes" in caplog.text
    one.join()
    await turns(one)
    assert record.load(tmp_path / "one.json", ISSUER).sequence > 0


async def test_another_issuers_state_is_not_this_ones(
    pair: tuple[Member, Member], tmp_path: Path
) -> None:
    await turns(*pair)
    path = tmp_path / "one.json"
    assert record.load(path, ISSUER).records
    assert not record.load(path, "https://other.example.com").records
    assert path.stat().st_mode & 0o777 == 0o600
