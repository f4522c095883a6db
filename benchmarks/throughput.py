"""Tokens a second as a part of what the same cores sign with bare `cryptography`."""

from __future__ import annotations

import os
import statistics
from contextlib import ExitStack
from pathlib import Path

from benchmarks import bare, load, sites
from benchmarks.sites import Running
from oauth_server.models import Algorithm


def against_bare(directory: Path, *, rounds: int, seconds: float) -> dict[str, float]:
    """RS256 with 4096 bits, in one process and in two; both sides alternate.

    By rate, of which the load takes its part on the same cores; and by the processor time of the
    server alone, which neither the load nor other work on the machine disturbs as much.
    """
    by_rate: dict[int, list[float]] = {1: [], 2: []}
    by_processor: dict[int, list[float]] = {1: [], 2: []}
    with ExitStack() as stack:
        servers = {
            count: stack.enter_context(sites.ours(directory, Algorithm.RS256, processes=count))
            for count in (1, 2)
        }
        for server in servers.values():
            load.put(server.request, connections=sites.CONNECTIONS, seconds=1)
        for _ in range(rounds):
            for count, server in servers.items():
                assert server.private_key is not None
                threads = len(os.sched_getaffinity(0))
                signed = bare.sign(server.private_key, threads=threads, seconds=seconds)
                fetched, each = fetch(server, seconds=seconds)
                by_rate[count].append(fetched.rate / signed.rate)
                by_processor[count].append(signed.processor / signed.signatures / each)
    results = {}
    for count in (1, 2):
        results[f"RS256, processes: {count}, rate"] = statistics.median(by_rate[count])
        results[f"RS256, processes: {count}, processor"] = statistics.median(by_processor[count])
    return results


def against_others(directory: Path, *, rounds: int, seconds: float) -> dict[str, float]:
    """ES256, one process each, under the same load."""
    rates: dict[str, list[float]] = {"ours": [], "node": [], "django": []}
    with ExitStack() as stack:
        servers = {
            "ours": stack.enter_context(sites.ours(directory, Algorithm.ES256)),
            "node": stack.enter_context(sites.node(directory)),
            "django": stack.enter_context(sites.django(directory)),
        }
        for server in servers.values():
            load.put(server.request, connections=sites.CONNECTIONS, seconds=1)
        for _ in range(rounds):
            for name, server in servers.items():
                fetched, _each = fetch(server, seconds=seconds)
                rates[name].append(fetched.rate)
    middle = {name: statistics.median(found) for name, found in rates.items()}
    return {
        "ES256 against node-oidc-provider": middle["ours"] / middle["node"],
        "ES256 against django-oauth-toolkit": middle["ours"] / middle["django"],
        "ES256 tokens a second": middle["ours"],
    }


def fetch(server: Running, *, seconds: float) -> tuple[load.Load, float]:
    """What the load got, and the server's processor time for one token."""
    before = load.processor_time(server.pids)
    fetched = load.put(server.request, connections=sites.CONNECTIONS, seconds=seconds)
    used = load.processor_time(server.pids) - before
    assert not fetched.broken, fetched
    return fetched, used / (fetched.requests - fetched.refused)
