"""A running server in its fleet: it says which keys it has, and hears and keeps what others say.

The store carries what is said and is believed nothing: a statement is signed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from oauth_server.errors import OperatorError, UnavailableError
from oauth_server.fleet import record, statement
from oauth_server.fleet.members import Fleet
from oauth_server.fleet.record import Memory
from oauth_server.fleet.statement import Statement, StatementError
from oauth_server.fleet.union import Union
from oauth_server.keys.jose import PrivateKey, PublicKey
from oauth_server.store.interface import Board

_journal = logging.getLogger("oauth_server")

EVERY = timedelta(seconds=5)
_RENEWED = timedelta(hours=1)


@dataclass(frozen=True)
class Published:
    """What this server publishes now: the keys of its own ring, and the kids of all."""

    own: Sequence[PublicKey]
    kids: Collection[str]


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Membership:
    """`published` tells what is served now; `take_over` has it served what was heard.

    `grace` is for how long the keys of a host that left stay published; `banned` are kids that
    were removed here in an emergency.
    """

    def __init__(
        self,
        board: Board,
        state: Path,
        *,
        issuer: str,
        leeway: timedelta,
        grace: Callable[[], timedelta],
        identity: Callable[[], PrivateKey],
        banned: Callable[[], Collection[str]],
        published: Callable[[], Published],
        take_over: Callable[[], Awaitable[None]],
        refused: Callable[[str], None] = lambda _: None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._board = board
        self._state = state
        self._issuer = issuer
        self._grace = grace
        self._identity = identity
        self._banned = banned
        self._published = published
        self._take_over = take_over
        self._refused = refused
        self._now = now
        self._complaints: dict[str, str] = {}
        memory = self._remembered()
        self._union = Union(issuer, memory.records, leeway)
        self._saved = memory
        self._sequence = memory.sequence
        self._fleet: Fleet | None = None
        self._said: Statement | None = None
        self._text: str | None = None

    @property
    def fleet(self) -> Fleet | None:
        return self._fleet

    def join(self, fleet: Fleet | None) -> None:
        """Belong to this fleet from now on: at the start, and at a reload."""
        self._fleet = fleet
        self._said = None
        self._union.pin(fleet, self._now())

    def foreign(self, own: Collection[str]) -> Sequence[PublicKey]:
        """The keys of others that are to be published beside the `own` kids."""
        if not self._union.records:  # then nothing but the ring matters, damaged or not
            return ()
        return self._union.published(own, self._banned())

    def serves(self) -> Mapping[str, Collection[str]]:
        """Which of this server's keys, by kid, each other member publishes.

        For the same algorithm: to whoever has another member's word for a key (Union) it does not
        verify what the key signs, and the key must not sign yet.
        """
        own = self._published().own
        return {
            host: {key.kid for key in own if statement.named(key) in names}
            for host, names in self._union.serves().items()
        }

    def heard(self) -> Mapping[str, float]:
        """How many seconds ago each other member made what was heard of it last."""
        now = self._now().timestamp()
        return {host: now - at for host, at in self._union.heard()}

    async def take_part(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.look()
            except OperatorError as error:
                self._complain("look", str(error))
            except Exception:  # noqa: BLE001 - the next time may be better; the server lives on
                _journal.exception("while the fleet was heard")
            else:
                self._complain("look", None)
            await asyncio.sleep(EVERY.total_seconds())

    async def look(self) -> None:
        """Once: hear the others, publish what they said, and say what is published."""
        await self.listen()
        published = self._published()
        own = {key.kid for key in published.own}
        if {key.kid for key in self.foreign(own)} != set(published.kids) - own:
            await self._take_over()
        await self._announce()

    async def listen(self) -> None:
        """Hear what the others said. What cannot be heard now is heard later."""
        now = self._now()
        if self._fleet is not None and self._fleet.others:
            try:
                said = dict(await self._board.announcements(self._fleet.hosts))
            except UnavailableError as error:
                self._complain("board", f"the fleet is not heard: {error.reason}")
            else:
                self._complain("board", None)
                # A store that lost it, or in which somebody else wrote, is told again.
                if said.pop(self._fleet.host, None) != self._text:
                    self._said = None
                    self._sequence += 1  # it may have been this host's own command
                for host, text in said.items():
                    self._hear(host, text, now)
        self._union.expire(now, self._grace())
        self._save()

    def _hear(self, host: str, text: str, now: datetime) -> None:
        try:
            self._union.offer(host, text, now)
        except StatementError as error:
            if self._complain(host, f"a statement of {host} is not believed: {error.reason}"):
                self._refused(error.reason)
        else:
            self._complain(host, None)

    async def _announce(self) -> None:
        if self._fleet is None:
            return
        now = self._now()
        published = self._published()
        said = self._said
        own = {key.kid for key in published.own}
        served = frozenset(
            statement.named(key)
            for key in (*published.own, *self.foreign(own))
            if key.kid in published.kids
        )
        if (
            said is not None
            and [key.kid for key in said.keys] == [key.kid for key in published.own]
            and said.serves == served
            and timedelta(0) <= now - datetime.fromtimestamp(said.issued, timezone.utc) < _RENEWED
        ):
            return
        try:
            identity = await asyncio.to_thread(self._identity)
        except OperatorError as error:
            self._complain("identity", str(error))
            return
        self._complain("identity", None)
        self._sequence = statement.sequence(now, self._sequence)
        saying = Statement(
            self._fleet.host, self._issuer, self._sequence, int(now.timestamp()),
            tuple(published.own), served,
        )  # fmt: skip
        self._save()
        text = statement.sign(identity, saying)
        try:
            await self._board.announce(self._fleet.host, text)
        except UnavailableError as error:
            self._complain("announce", f"the fleet is not told: {error.reason}")
        else:
            self._complain("announce", None)
            self._said, self._text = saying, text

    def _remembered(self) -> Memory:
        try:
            return record.load(self._state, self._issuer)
        except OperatorError as error:
            # A server that does not start is worse; what the others say now is heard at once.
            _journal.error("%s; what is known of the fleet is learnt anew", error)
            return Memory({})

    def _save(self) -> None:
        memory = Memory(dict(self._union.records), self._sequence)
        if memory == self._saved:
            return
        try:
            record.save(self._state, self._issuer, memory)
        except OperatorError as error:
            self._complain("state", str(error))
        else:
            self._saved = memory
            self._complain("state", None)

    def _complain(self, about: str, text: str | None) -> bool:
        """Once for as long as it is the same; whether it is new."""
        if self._complaints.get(about) == text:
            return False
        if text is None:
            self._complaints.pop(about, None)
            return False
        self._complaints[about] = text
        _journal.error("%s", text)
        return True
