"""What the server counts, in Prometheus' text format (version 0.0.4).

Every label is a word of ours: an event, a status, an error, a step of the store. Nothing that a
client sends becomes one, so their number is bounded.
"""

from __future__ import annotations

import platform
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

from oauth_server import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_PREFIX = "oauth_server_"


class _Histogram:
    """Seconds in buckets: an observation is a comparison or four and two additions."""

    __slots__ = ("_counts", "_sum")

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(_BOUNDS, seconds)] += 1
        self._sum += seconds

    def samples(self, name: str, labels: Mapping[str, str]) -> Iterator[str]:
        total = 0
        for bound, count in zip((*map(str, _BOUNDS), "+Inf"), self._counts, strict=True):
            total += count
            yield _sample(f"{name}_bucket", {**labels, "le": bound}, total)
        yield _sample(f"{name}_sum", labels, self._sum)
        yield _sample(f"{name}_count", labels, total)


class Metrics:
    """Counts for as long as the process lives, over every reload.

    `gauges` are asked when somebody looks: a name without the prefix, and what it means.
    """

    def __init__(self) -> None:
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self.lines_lost: Callable[[], int] = lambda: 0
        self._requests: dict[tuple[str, int, str], int] = {}
        self._latencies: dict[str, _Histogram] = {}
        self._waits = _Histogram()
        self._signatures = _Histogram()
        self._steps: dict[tuple[str, bool], _Histogram] = {}
        self._revocations: dict[str, int] = {}
        self._reloads = {True: 0, False: 0}

    def request(self, event: str, status: int, error: str, seconds: float) -> None:
        key = (event, status, error)
        self._requests[key] = self._requests.get(key, 0) + 1
        latencies = self._latencies.get(event)
        if latencies is None:
            latencies = self._latencies[event] = _Histogram()
        latencies.observe(seconds)

    def signature(self, waited: float, took: float) -> None:
        self._waits.observe(waited)
        self._signatures.observe(took)

    def store_step(self, step: str, seconds: float, succeeded: bool) -> None:
        steps = self._steps.get((step, succeeded))
        if steps is None:
            steps = self._steps[step, succeeded] = _Histogram()
        steps.observe(seconds)

    def revocation(self, kind: str) -> None:
        self._revocations[kind] = self._revocations.get(kind, 0) + 1

    def reload(self, succeeded: bool) -> None:
        self._reloads[succeeded] += 1

    def exposition(self) -> bytes:
        return ("\n".join(self._lines()) + "\n").encode()

    def _lines(self) -> Iterator[str]:
        yield from _head("build_info", "gauge", "What runs.")
        build = {"version": __version__, "python": platform.python_version()}
        yield _sample("build_info", build, 1)
        yield from _head("requests_total", "counter", "Requests that were answered.")
        for (event, status, error), count in self._requests.items():
            labels = {"endpoint": event, "status": str(status), "error": error}
            yield _sample("requests_total", labels, count)
        yield from _head("request_seconds", "histogram", "Time until the answer began.")
        for event, latencies in self._latencies.items():
            yield from latencies.samples("request_seconds", {"endpoint": event})
        yield from _head("sign_wait_seconds", "histogram", "Time that a signature was waited for.")
        yield from self._waits.samples("sign_wait_seconds", {})
        yield from _head("sign_seconds", "histogram", "Time that a signature took.")
        yield from self._signatures.samples("sign_seconds", {})
        yield from _head("store_seconds", "histogram", "Time that a step of the store took.")
        for (step, succeeded), steps in self._steps.items():
            labels = {"step": step, "result": _result(succeeded)}
            yield from steps.samples("store_seconds", labels)
        yield from _head("revocations_total", "counter", "What was revoked at this server.")
        for kind, count in self._revocations.items():
            yield _sample("revocations_total", {"kind": kind}, count)
        yield from _head("reloads_total", "counter", "SIGHUPs, by what came of them.")
        for succeeded, count in self._reloads.items():
            yield _sample("reloads_total", {"result": _result(succeeded)}, count)
        yield from _head("log_lines_lost_total", "counter", "Lines that could not be written.")
        yield _sample("log_lines_lost_total", {}, self.lines_lost())
        for name, (meaning, ask) in self.gauges.items():
            yield from _head(name, "gauge", meaning)
            yield _sample(name, {}, ask())


def _result(succeeded: bool) -> str:
    return "success" if succeeded else "failure"


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {_PREFIX}{name} {meaning}"
    yield f"# TYPE {_PREFIX}{name} {kind}"


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    # No value of ours has a quotation mark, a backslash or a line break, which would be escaped.
    listed = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"{_PREFIX}{name}{{{listed}}} {value}" if listed else f"{_PREFIX}{name} {value}"
