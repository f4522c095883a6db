"""What the server counts, for Prometheus.

Every label is a word of ours: an event, a status, an error, a step of the store. Nothing that a
client sends becomes one, so their number is bounded.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Info
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from oauth_server import __version__
from oauth_server.collectors import Ask, Asked, Times

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_PREFIX = "oauth_server_"


class Metrics:
    """Counts for as long as the process lives, over every reload."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        build = Info(_PREFIX + "build", "What runs.", registry=self._registry)
        build.info({"version": __version__, "python": platform.python_version()})
        # The library's counters take a lock each time; the event loop alone counts these.
        self._requests: dict[tuple[str, int, str], int] = defaultdict(int)
        self._registry.register(
            Asked(
                CounterMetricFamily,
                _PREFIX + "requests",
                "Requests that were answered.",
                ["endpoint", "status", "error"],
                lambda: {(e, str(status), r): n for (e, status, r), n in self._requests.items()},
            )
        )
        self._latencies = self._times("request", "Time until the answer began.", "endpoint")
        self._waits = self._times("sign_wait", "Time that a signature was waited for.")
        self._signatures = self._times("sign", "Time that a signature took.")
        self._steps = self._times("store", "Time that a step of the store took.", "step", "result")
        self._revocations = self._counter("revocations", "What was revoked at this server.", "kind")
        self._reloads = self._counter("reloads", "SIGHUPs, by what came of them.", "result")
        for succeeded in (True, False):
            self._reloads.labels(_result(succeeded))
        self._takeovers = self._counter(
            "ring_takeovers", "Changes of the key ring, by what came of them.", "result"
        )
        for succeeded in (True, False):
            self._takeovers.labels(_result(succeeded))
        self._statements_refused = self._counter(
            "fleet_statements_refused", "What was said in another server's name.", "reason"
        )
        self._lines_lost = self._counter("log_lines_lost", "Lines that could not be written.")

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}{name}_total", meaning, labels, registry=self._registry)

    def _times(self, name: str, meaning: str, *labels: str) -> Times:
        times = Times(f"{_PREFIX}{name}_seconds", meaning, labels)
        self._registry.register(times)
        return times

    def gauge(self, name: str, meaning: str, ask: Callable[[], float]) -> None:
        """`ask` is called when somebody looks."""
        Gauge(_PREFIX + name, meaning, registry=self._registry).set_function(ask)

    def count(self, name: str, meaning: str, ask: Callable[[], float]) -> None:
        """As `gauge`, of what only grows."""
        self._registry.register(
            Asked(CounterMetricFamily, _PREFIX + name, meaning, [], lambda: {(): ask()})
        )

    def labelled_gauge(self, name: str, meaning: str, labels: Sequence[str], ask: Ask) -> None:
        self._registry.register(Asked(GaugeMetricFamily, _PREFIX + name, meaning, labels, ask))

    def request(self, event: str, status: int, error: str, seconds: float) -> None:
        self._requests[event, status, error] += 1
        self._latencies.add((event,), seconds)

    def signature(self, waited: float, took: float) -> None:
        self._waits.add((), waited)
        self._signatures.add((), took)

    def store_step(self, step: str, seconds: float, succeeded: bool) -> None:
        self._steps.add((step, _result(succeeded)), seconds)

    def revocation(self, kind: str) -> None:
        self._revocations.labels(kind).inc()

    def reload(self, succeeded: bool) -> None:
        self._reloads.labels(_result(succeeded)).inc()

    def takeover(self, succeeded: bool) -> None:
        self._takeovers.labels(_result(succeeded)).inc()

    def statement_refused(self, reason: str) -> None:
        self._statements_refused.labels(reason).inc()

    def line_lost(self) -> None:
        self._lines_lost.inc()

    def exposition(self) -> bytes:
        """In the text format, version 0.0.4."""
        return generate_latest(self._registry)


def _result(succeeded: bool) -> str:
    return "success" if succeeded else "failure"
