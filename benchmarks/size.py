"""Memory of a worker under load, and the time from its start until it answers."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from benchmarks import load, sites
from benchmarks.memory import proportional
from oauth_server.models import Algorithm


def memory(directory: Path, *, seconds: float) -> dict[str, float]:
    """MB of proportional set size, each after the same load."""
    found = {}
    for name, started in (
        ("ours", sites.ours(directory, Algorithm.ES256)),
        ("node-oidc-provider", sites.node(directory)),
    ):
        with started as server:
            load.put(server.request, connections=sites.CONNECTIONS, seconds=seconds)
            found[f"PSS {name}, MB"] = sum(map(proportional, server.pids))
    return found


def start(directory: Path, *, rounds: int) -> dict[str, float]:
    """Seconds until the first answer, with the keys there already."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        with sites.ours(directory, Algorithm.RS256):
            times.append(time.perf_counter() - began)
    return {"ready after start, s": statistics.median(times)}
