"""What happened, in true time: who published what, who signed with what, and what was removed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

Seconds = float
"""True time, since the simulation began."""


@dataclass
class Span:
    """From `begins` until `ends`, which is infinity as long as it goes on."""

    begins: Seconds
    ends: Seconds = float("inf")


@dataclass
class Publishing(Span):
    """A host that is up answers with these kids."""

    kids: Collection[str] = ()


@dataclass
class Signing(Span):
    """A host signs with a key. `excused` is until when an emergency said that caches may refuse."""

    host: str = ""
    kid: str = ""
    excused: Seconds = float("-inf")


@dataclass(frozen=True)
class Removal:
    """An emergency: at `at`, and revoked until `until` by the slowest clock that may look."""

    host: str
    kid: str
    at: Seconds
    until: Seconds


@dataclass
class Record:
    published: dict[str, list[Publishing]] = field(default_factory=dict)
    signed: list[Signing] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    expired: dict[str, Seconds] = field(default_factory=dict)
    """When each key was removed because its time was over."""

    doomed: dict[str, Seconds] = field(default_factory=dict)
    """When an emergency was declared for a key: its tokens are promised no more."""

    blind: dict[str, list[Span]] = field(default_factory=dict)
    """When a host's server could read nothing of its keys, not even which were removed."""

    log: list[tuple[Seconds, str, str]] = field(default_factory=list)

    def note(self, at: Seconds, host: str, what: str) -> None:
        self.log.append((at, host, what))

    def remove(self, host: str, kid: str, at: Seconds, until: Seconds) -> None:
        """The store was told: once, or again before it had forgotten."""
        for number, known in enumerate(self.removals):
            if known.kid == kid and at <= known.until:
                self.removals[number] = replace(known, until=max(known.until, until))
                return
        self.removals.append(Removal(host, kid, at, until))

    def publish(self, at: Seconds, host: str, kids: Collection[str] | None) -> None:
        """From now on the host answers with these; None is not at all."""
        spans = self.published.setdefault(host, [])
        if spans and spans[-1].ends == float("inf"):
            if kids is not None and set(spans[-1].kids) == set(kids):
                return
            spans[-1].ends = at
        if kids is not None:
            spans.append(Publishing(at, kids=frozenset(kids)))

    def sign(self, at: Seconds, host: str, kid: str | None, excused: Seconds) -> None:
        """From now on the host signs with this key; None is with none."""
        for span in reversed(self.signed):
            if span.host == host:
                if span.ends == float("inf"):
                    if span.kid == kid:
                        return
                    span.ends = at
                break
        if kid is not None:
            self.signed.append(Signing(at, host=host, kid=kid, excused=excused))

    def around(self, kid: str, at: Seconds) -> Iterator[str]:
        """What happened to a key, and what at a time: for a person who has to understand it."""
        for when, host, what in self.log:
            if kid[:8] in what or abs(when - at) < 3600:
                yield f"{shown(when)} {host}: {what}"


def shown(at: Seconds) -> str:
    """Days, hours, minutes and seconds."""
    if at == float("inf"):
        return "the end"
    minutes, seconds = divmod(at, 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours, 24)
    return f"day {days} {hours:02}:{minutes:02}:{seconds:06.3f}"
