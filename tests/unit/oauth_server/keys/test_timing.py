"""The lengths that everything else keeps to."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from oauth_server.keys.timing import Timing

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
TIMING = Timing(cache=12 * HOUR, lifetime=10 * MINUTE, leeway=30 * SECOND)


def test_a_key_is_published_for_the_longest_cache_before_it_signs() -> None:
    assert TIMING.publication == 12 * HOUR


@pytest.mark.parametrize(
    ("longest", "grace"),
    [
        (timedelta(0), 12 * HOUR + 10 * MINUTE + 30 * SECOND),
        (10 * MINUTE, 12 * HOUR + 10 * MINUTE + 30 * SECOND),
        (24 * HOUR, 36 * HOUR + 30 * SECOND),
    ],
)
def test_an_old_key_stays_for_its_longest_token_the_leeway_and_the_longest_cache(
    longest: timedelta, grace: timedelta
) -> None:
    assert TIMING.grace(longest) == grace


@pytest.mark.parametrize(("floor", "grace"), [(13 * HOUR, 13 * HOUR), (HOUR, TIMING.grace())])
def test_the_settings_grace_is_a_floor(floor: timedelta, grace: timedelta) -> None:
    assert Timing(TIMING.cache, TIMING.lifetime, TIMING.leeway, floor=floor).grace() == grace


def test_a_host_that_left_stays_for_as_long_by_a_clock_that_was_set() -> None:
    assert TIMING.departed == TIMING.grace() + 30 * SECOND


def test_without_caches_a_server_may_still_notice_a_new_ring_late() -> None:
    """It looks every two seconds: a moment is part of the grace."""
    timing = Timing(cache=timedelta(0), lifetime=10 * MINUTE, leeway=30 * SECOND)
    assert timing.stale == MINUTE
    assert timing.grace() == 11 * MINUTE + 30 * SECOND


@pytest.mark.parametrize(
    ("cache", "lasts"),
    [(12 * HOUR, 12 * HOUR + 18 * MINUTE + 30 * SECOND), (5 * MINUTE, 29 * MINUTE)],
)
def test_an_emergency_is_known_until_the_last_cache_has_forgotten_the_key(
    cache: timedelta, lasts: timedelta
) -> None:
    assert Timing(cache, TIMING.lifetime, TIMING.leeway).emergency() == lasts


def test_a_second_pending_key_is_made_in_time_to_be_known_at_the_rotation() -> None:
    activated = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert TIMING.due(activated) == activated + timedelta(days=90)
    made = TIMING.second_pending(activated)
    assert TIMING.due(activated) - made == TIMING.publication + timedelta(days=1)
