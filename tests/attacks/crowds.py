"""Attacks with real connections, as the tests and the report make them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.attacks.arena import Arena
from tests.attacks.measure import Calls, Outcome, hold


@dataclass(frozen=True)
class Crowd:
    """How the connections behave (aggressor.py), and how many at once from how many addresses."""

    kind: str
    connections: int
    sources: int = 1

    def attack(self, arena: Arena, port: int, calls: Calls) -> Outcome:
        return hold(
            arena, port, calls, self.kind, connections=self.connections, sources=self.sources
        )


CROWDS = {
    "10,000 connections of one source that say nothing": Crowd("tcp", 10_000),
    "10,000 connections of 100 sources that say nothing": Crowd("tcp", 10_000, 100),
    "10,000 sessions of 100 sources that say nothing": Crowd("tls", 10_000, 100),
    "2,000 slow heads of 20 sources": Crowd("loris", 2_000, 20),
    "handshakes of one source": Crowd("handshake", 200),
    "handshakes of 100 sources": Crowd("handshake", 200, 100),
    "first flights of one source": Crowd("hello", 200),
}
