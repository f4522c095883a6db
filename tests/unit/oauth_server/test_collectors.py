"""Histograms and counts of our own are to a scraper what the library's are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from oauth_server.collectors import BOUNDS, Times
from oauth_server.metrics import Metrics

_LABELS = [("token", "success"), ("token", "failure"), ("revoke", 'a "name"\n')]
_ANSWERS = [("token", 200, ""), ("token", 401, "invalid_client"), ("revoke", 200, "")]
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


@given(st.lists(st.sampled_from(_ANSWERS)))
def test_requests_are_counted_as_the_librarys_counter_counts_them(
    answers: list[tuple[str, int, str]],
) -> None:
    theirs, ours = CollectorRegistry(), Metrics()
    named = Counter(
        "oauth_server_requests", "Requests that were answered.",
        ["endpoint", "status", "error"], registry=theirs,
    )  # fmt: skip
    for answer in answers:
        named.labels(*answer).inc()
        ours.request(*answer, 0.0)
    shown = ours.exposition().splitlines()
    wanted = generate_latest(theirs).splitlines()
    assert [line for line in shown if b"oauth_server_requests_total" in line] == wanted
