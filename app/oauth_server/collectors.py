"""What Prometheus' library has no metric for, or none that is quick enough."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import prometheus_client
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_LE = (*map(str, BOUNDS), "+Inf")

Ask = Callable[[], Mapping[Sequence[str], float]]
"""The series of the moment, by the values of their labels."""

# A second series for each metric, which says when it began: nobody here asks.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # it has no types


class Times(Collector):
    """A histogram of seconds, which the event loop alone adds to.

    The library's own takes two locks or three for each value: a tenth of a token's time.
    """

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        # Counts of the buckets, and at the end the sum.
        self._series: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0] * (len(_LE) + 1))
        if not labels:
            self._series[()]  # is there from the beginning

    def add(self, values: tuple[str, ...], seconds: float) -> None:
        """To the series that has these values of the labels."""
        series = self._series[values]
        series[bisect_left(BOUNDS, seconds)] += 1
        series[-1] += seconds

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, (*counts, total) in self._series.items():
            buckets = zip(_LE, itertools.accumulate(counts), strict=True)
            family.add_metric(values, list(buckets), total)
        return (family,)


class Asked(Collector):
    """Series that come and go, or that somebody else counts."""

    def __init__(
        self,
        family: type[CounterMetricFamily | GaugeMetricFamily],
        name: str,
        meaning: str,
        labels: Sequence[str],
        ask: Ask,
    ) -> None:
        self._family = family
        self._name, self._meaning, self._labels, self._ask = name, meaning, labels, ask

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        family = self._family(self._name, self._meaning, labels=self._labels)
        for values, number in self._ask().items():
            family.add_metric(values, number)
        return (family,)
