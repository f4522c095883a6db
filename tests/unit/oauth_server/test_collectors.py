"""Histograms of our own are to a scraper what the library's are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from oauth_server.collectors import BOUNDS, Times

_LABELS = [("token", "success"), ("token", "failure"), ("revoke", 'a "name"\n')]
_SECONDS = st.one_of(st.sampled_from([0.0, *BOUNDS]), st.floats(0, 1e6))


@given(st.lists(st.tuples(st.sampled_from(_LABELS), _SECONDS)))
def test_times_are_exposed_as_the_librarys_histogram_exposes_them(
    values: list[tuple[tuple[str, str], float]],
) -> None:
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    labels = ["step", "result"]
    named = Histogram("steps_seconds", "Steps.", labels, buckets=BOUNDS, registry=theirs)
    plain = Histogram("all_seconds", "All.", buckets=BOUNDS, registry=theirs)
    steps = Times("steps_seconds", "Steps.", labels)
    total = Times("all_seconds", "All.", [])
    for collector in (steps, total):
        ours.register(collector)
    for which, seconds in values:
        named.labels(*which).observe(seconds)
        plain.observe(seconds)
        steps.add(which, seconds)
        total.add((), seconds)
    assert generate_latest(ours) == generate_latest(theirs)
