"""Tokens a second as a part of what the same cores sign with bare `cryptography`."""

from __future__ import annotations

import os
import statistics
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from benchmarks import bare, load, sites
from benchmarks.sites import Running
from oauth_server.models import Algorithm


def against_bare(directory: Path, *, rounds: int, seconds: float) -> dict[str, float]:
    """RS256 with 4096 bits, in one process and in two; both sides alternate.

    By rate, of which the load takes its part on the same cores; by rate on what the load leaves of
    them, as if it came from elsewhere; and by the processor time of the server alone, which other
    work on the machine disturbs least. How steady the machine was is how much of the best that it
    signed it signed at its worst.
    """
    cores = len(os.sched_getaffinity(0))
    ratios: dict[str, list[float]] = defaultdict(list)
    alone: list[float] = []
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
                # Half before and half after: the machine's other guests come and go.
                signed = bare.sign(server.private_key, threads=cores, seconds=seconds / 2)
                fetched, each = fetch(server, seconds=seconds)
                signed += bare.sign(server.private_key, threads=cores, seconds=seconds / 2)
                alone.append(signed.rate)
                rate = fetched.rate / signed.rate
                left = 1 - fetched.processor / fetched.seconds / cores
                found = {
                    "rate": rate,
                    "rate without the load": rate / left,
                    "processor": signed.processor / signed.signatures / each,
                }
                for what, ratio in found.items():
                    ratios[f"RS256, processes: {count}, {what}"].append(ratio)
    return {
        **{what: statistics.median(found) for what, found in ratios.items()},
        "steadiness of the machine": min(alone) / max(alone),
    }


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
