"""How long a key must be known before it signs, and after it did: from the settings alone.

A cache in the field believes a key set for up to `cache`. Whoever shortens one of these lengths
refuses tokens that are good, or accepts some that are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_TAKEOVER = timedelta(minutes=1)
_TOLD_AGAIN = timedelta(minutes=18)
"""oauth-key-rotate.timer runs each quarter of an hour, and up to three minutes late."""

_AHEAD = timedelta(days=1)


@dataclass(frozen=True)
class Timing:
    """`cache` is jwks_cache_max, `lifetime` the longest of an access token by the settings.

    `floor` is signing.grace.
    """

    cache: timedelta = timedelta(hours=12)
    lifetime: timedelta = timedelta(minutes=10)
    leeway: timedelta = timedelta(seconds=30)
    rotation: timedelta = timedelta(days=90)
    floor: timedelta | None = None

    @property
    def publication(self) -> timedelta:
        """Every server of the fleet has served a key for so long before it may sign."""
        return self.cache

    @property
    def stale(self) -> timedelta:
        """A server signs for so long with a key that its ring no longer confirms."""
        return max(self.cache, _TAKEOVER)

    def grace(self, longest: timedelta = timedelta(0)) -> timedelta:
        """A key stays published for so long after another took its place.

        `longest` is the longest lifetime of what it signed. The last token of a server that
        noticed late (`stale`) is signed that much later.
        """
        derived = max(self.lifetime, longest) + self.leeway + self.stale
        return derived if self.floor is None else max(derived, self.floor)

    @property
    def departed(self) -> timedelta:
        """The keys of a host that left the fleet stay published for so long after that was seen.

        It signs for as long as a server that cannot read its ring: until then it is to be switched
        off. And the clock that this is measured by may be set meanwhile.
        """
        return self.grace() + self.leeway

    def emergency(self, longest: timedelta = timedelta(0)) -> timedelta:
        """What a stolen key signs stays revoked for so long after the store was told.

        It is told again for as long as a server publishes the key. The last one may have done so
        until just before the next time, and gone down then; the thief may sign until the last
        cache that asked it has forgotten the key. And some clock may be ahead.
        """
        believed = max(self.cache, max(self.lifetime, longest) + self.leeway)
        return _TOLD_AGAIN + believed + self.leeway

    def due(self, activated: datetime) -> datetime:
        """When a key that was activated then is to be rotated."""
        return activated + self.rotation

    def second_pending(self, activated: datetime) -> datetime:
        """From when on there are two pending keys: one is known to caches after the rotation."""
        return self.due(activated) - self.cache - _AHEAD
