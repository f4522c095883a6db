"""What honest clients see of an attack, and what it costs the host."""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.attacks.arena import ATTACKERS, CLIENTS, Arena, addresses
from tests.attacks.counters import Counted, counting
from tests.attacks.flood import flood

# No two calls of a test run come from one address: the host remembers what it knows of each.
_fresh = itertools.count(1)
_HEAD_START = 2.0
_REARGUARD = 2.0


@dataclass(frozen=True)
class Calls:
    """How many honest clients come, one every so many seconds, and stay for so many."""

    request: bytes
    count: int = 100
    every: float = 0.03
    hold: float = 0.5


@dataclass(frozen=True)
class Scene:
    """A host to attack, and what honest clients want of it."""

    arena: Arena
    calls: Calls


@dataclass
class Outcome:
    """Of one attack on one port."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    counted: Counted = field(default_factory=Counted)
    attack: dict[str, int] = field(default_factory=dict)
    sockets: str = ""
    memory: int | None = None

    @property
    def success(self) -> float:
        return float(sum(call["ok"] for call in self.calls) / len(self.calls))

    def connect(self, share: float) -> float:
        """The time, in seconds, within which that share of the clients was connected."""
        never = float("inf")
        times: list[float] = [call["connect"] for call in self.calls if call["connect"] is not None]
        times = sorted(times + [never] * (len(self.calls) - len(times)))
        return times[min(int(share * len(times)), len(times) - 1)]

    @property
    def with_options(self) -> float:
        """The share of the clients' connections that have both window scale and SACK."""
        found = self.sockets.splitlines()
        return sum(" sack " in line and "wscale:" in line for line in found) / max(len(found), 1)

    @property
    def said(self) -> list[str]:
        return sorted({call["said"] for call in self.calls if not call["ok"]})


@contextmanager
def _calling(arena: Arena, port: int, calls: Calls, outcome: Outcome) -> Iterator[None]:
    first = str(CLIENTS[next(_fresh) * 512])
    process = arena.clients.start(
        "caller.py", host=arena.target, port=port, first=first, count=calls.count,
        every=calls.every, hold=calls.hold, request=base64.b64encode(calls.request).decode(),
    )  # fmt: skip
    yield
    outcome.calls = json.loads(process.communicate()[0])


def syn_flood(arena: Arena, port: int, calls: Calls) -> Outcome:
    """Forged SYNs for a little longer than the clients come."""
    outcome = Outcome()
    seconds = int(calls.count * calls.every + 2)
    with counting(arena) as counted, flood(arena, port, seconds) as process:
        time.sleep(1)
        with _calling(arena, port, calls, outcome):
            time.sleep(calls.count * calls.every * 0.6)
            outcome.sockets = _sockets(arena, port)
        said, _ = process.communicate()
    sent = re.search(r"(\d+) packets outgoing", said)
    assert sent is not None, said
    outcome.attack = {"packets": int(sent[1]), "seconds": seconds}
    outcome.counted = counted
    return outcome


def hold(
    arena: Arena, port: int, calls: Calls, kind: str, *, connections: int, sources: int = 1
) -> Outcome:
    """Real connections from so many addresses; the clients come when all are there."""
    outcome = Outcome()
    came = calls.count * calls.every
    with counting(arena) as counted:
        aggressor = arena.attacker.start(
            "aggressor.py", host=arena.target, port=port, kind=kind, connections=connections,
            sources=_sources(sources), seconds=_HEAD_START + came + _REARGUARD,
        )  # fmt: skip
        assert aggressor.stdout is not None
        aggressor.stdout.readline()
        time.sleep(_HEAD_START)
        with _calling(arena, port, calls, outcome):
            pass
        outcome.attack = json.loads(aggressor.communicate()[0])
    outcome.counted = counted
    return outcome


def _sources(count: int) -> Sequence[str]:
    return addresses(ATTACKERS, count, next(_fresh) * 256)


def _sockets(arena: Arena, port: int) -> str:
    """The clients' connections as the host sees them, a line each."""
    return arena.on_host(
        f"ss -tineOH state established 'sport = :{port}' | grep -F 198.18. || true"
    )
