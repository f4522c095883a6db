"""Who is connected, by source, and who has to leave when there are too many."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from oauth_server.http.client_address import Network, parse

# Of those who were longest silent, so many are looked at before the newcomer is refused instead.
_LOOKED_AT = 64


class Guest(Protocol):
    """Whoever is connected, in the middle of a handshake or further."""

    @property
    def answers(self) -> int:
        """How many requests were answered."""

    @property
    def is_busy(self) -> bool:
        """Has sent a whole request, and waits for its answer."""

    def turn_away(self) -> None: ...


@dataclass(frozen=True)
class Limits:
    """Open connections in all and of one source, and whom the second does not concern."""

    total: int
    per_source: int
    exempt: tuple[Network, ...] = ()


class Crowd:
    """Lets everybody in, and for it ends a connection that was silent for long (CWE-400).

    One source, an IPv4 address or an IPv6 network of 64 bits, pays for its own surplus. When all
    are too many, whoever has most pays: a single client among thousands of a flood's is the last
    to go. Who waits for an answer stays. So a crowd behind one address loses no more than
    connections that do nothing.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.turned_away = 0
        # Of each source its guests, longest silent first, with what they were seen to have got.
        self._guests: dict[str, dict[Guest, int]] = {}
        self._sources: dict[Guest, str] = {}
        # The sources that have so many guests, and the largest such number.
        self._by_size: dict[int, dict[str, None]] = {}
        self._largest = 0

    def __len__(self) -> int:
        return len(self._sources)

    def enter(self, guest: Guest, host: str) -> bool:
        """Make room for a guest, or tell that there is none."""
        source = source_of(host)
        if source is None or _is_exempt(host, self.limits.exempt):
            return True
        if len(self._guests.get(source, ())) >= self.limits.per_source:
            if not self._make_room(source):
                return False
        elif len(self) >= self.limits.total:
            greediest = next(iter(self._by_size[self._largest]))
            if not self._make_room(greediest):
                return False
        self._sources[guest] = source
        self._guests.setdefault(source, {})[guest] = guest.answers
        self._resize(source, 1)
        return True

    def leave(self, guest: Guest) -> None:
        source = self._sources.pop(guest, None)
        if source is not None:
            del self._guests[source][guest]
            if not self._guests[source]:
                del self._guests[source]
            self._resize(source, -1)

    def _make_room(self, source: str) -> bool:
        guests = self._guests[source]
        for _ in range(_LOOKED_AT):
            guest = next(iter(guests))
            answers = guests[guest]
            if not guest.is_busy and guest.answers == answers:
                self.leave(guest)
                self.turned_away += 1
                guest.turn_away()
                return True
            del guests[guest]
            guests[guest] = guest.answers
        self.turned_away += 1
        return False

    def _resize(self, source: str, change: int) -> None:
        size = len(self._guests.get(source, ()))
        before = self._by_size.get(size - change)
        if before is not None:
            before.pop(source, None)
            if not before:
                del self._by_size[size - change]
        if size:
            self._by_size.setdefault(size, {})[source] = None
        if size > self._largest or (self._largest not in self._by_size):
            self._largest = size


@lru_cache(maxsize=8192)
def source_of(host: str) -> str | None:
    """Whoever has an IPv6 address has 2^64 of them."""
    address = parse(host)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return None if address is None else str(address)


@lru_cache(maxsize=8192)
def _is_exempt(host: str, exempt: tuple[Network, ...]) -> bool:
    address = parse(host)
    return address is not None and any(address in network for network in exempt)
