"""Who must be accepted, and who must not: by the record alone, without a word of the code's rules.

A cache is any verifier that keeps a key set for up to `cache` and asks again only then: whichever
host it asked, whenever. So all caches there could be are looked at, of 5 minutes and of 12 hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.simulation.record import Record, Seconds, shown

# A host may answer with a key for so long after it was removed: until it has heard of it, or its
# server, which could read nothing, can read again.
HEARD = 60.0
# Of a key that nobody needs any more, as long as a host may be away, and longer.
FORGOTTEN = 10 * 86400.0


@dataclass(frozen=True)
class Lengths:
    """What was promised: `lifetime` of a token, `leeway` between any two clocks, `cache`."""

    cache: Seconds
    lifetime: Seconds
    leeway: Seconds


def faults(record: Record, lengths: Lengths, begin: Seconds) -> Iterator[str]:
    """Every broken promise; before `begin` nobody had asked for a key set."""
    yield from _refused(record, lengths, begin)
    yield from _accepted(record, lengths)
    yield from _forgotten(record)


def _refused(record: Record, lengths: Lengths, begin: Seconds) -> Iterator[str]:
    """A token is good for its lifetime, by a clock that may be late by the leeway.

    Whoever verifies it then has a set that some host published up to `cache` before.
    """
    gone = record.doomed
    for signing in record.signed:
        first = max(signing.begins, signing.excused)
        last = min(signing.ends, gone.get(signing.kid, float("inf")))
        if last <= first:
            continue
        end = min(last + lengths.lifetime + lengths.leeway, gone.get(signing.kid, float("inf")))
        for host, spans in record.published.items():
            for span in spans:
                begins = max(span.begins, first - lengths.cache, begin)
                ends = min(span.ends, end)
                if begins < ends and signing.kid not in span.kids:
                    yield (
                        f"a token that {signing.host} signed with {signing.kid[:8]} between "
                        f"{shown(first)} and {shown(last)} is refused with a set that {host} "
                        f"published between {shown(begins)} and {shown(ends)}"
                    )


def _accepted(record: Record, lengths: Lengths) -> Iterator[str]:
    """What a thief signs: revoked until the last cache has forgotten the key."""
    for removal in record.removals:
        for host, spans in record.published.items():
            for span in spans:
                if removal.kid not in span.kids or span.ends <= removal.at:
                    continue
                if span.ends + lengths.cache > removal.until:
                    yield (
                        f"{removal.kid[:8]} of {removal.host} was removed at {shown(removal.at)} "
                        f"and is revoked until {shown(removal.until)}; a cache believes it until "
                        f"{shown(span.ends + lengths.cache)}, by {host}"
                    )
                seen = [
                    blind.ends
                    for blind in record.blind.get(host, ())
                    if blind.begins <= removal.at < blind.ends
                ]
                if span.ends > max(removal.at, span.begins, *seen) + HEARD:
                    yield (
                        f"{host} publishes {removal.kid[:8]} until {shown(span.ends)}, which "
                        f"{removal.host} removed at {shown(removal.at)}"
                    )


def _forgotten(record: Record) -> Iterator[str]:
    """A key that nobody needs any more goes from everywhere."""
    for kid, at in record.expired.items():
        for host, spans in record.published.items():
            for span in spans:
                if kid in span.kids and span.ends > max(at, span.begins) + FORGOTTEN:
                    yield f"{host} publishes {kid[:8]} until {shown(span.ends)}, over {shown(at)}"
