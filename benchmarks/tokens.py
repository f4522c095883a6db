"""Access tokens a second with a key on a PKCS#11 token, by what its module signs alone."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from benchmarks import bare_token, load, sites
from benchmarks.memory import proportional
from benchmarks.sites import Running
from oauth_server.keys.pkcs11 import uri
from oauth_server.keys.room import QUEUE_PER_PLACE
from oauth_server.models import Algorithm
from tests.softhsm import LABEL, MODULE, PIN, SoftHsm

_PROCESSES = len(os.sched_getaffinity(0))
_CONNECTIONS = QUEUE_PER_PLACE * _PROCESSES


def against_module(directory: Path, *, rounds: int, seconds: float) -> dict[str, float]:
    """RS256 with 4096 bits on SoftHSM, by as many processes on both sides, which alternate.

    The rate is of tokens over HTTP, of which the load takes its part on the same cores; by
    processor time it is the server's and its processes' alone.
    """
    hsm = SoftHsm.make(directory / "hsm")
    environment = {**os.environ, **hsm.environment}
    os.environ.update(hsm.environment)
    by_rate, by_processor = [], []
    with sites.ours(directory, Algorithm.RS256, hsm=hsm) as server:
        active = directory / "RS256-token" / "keys" / "ring" / "active" / "pkcs11.uri"
        key_id = uri.parse(active.read_text().rstrip()).key_id.hex()
        key = bare_token.Key(MODULE, LABEL, PIN, key_id, "RS256")
        load.put(server.request, connections=_CONNECTIONS, seconds=1)
        for _ in range(rounds):
            signed = bare_token.sign(
                key, processes=_PROCESSES, seconds=seconds, environment=environment
            )
            fetched, each = _fetch(server, seconds)
            by_rate.append(fetched.rate / signed.rate)
            by_processor.append(signed.processor / signed.signatures / each)
        memory = sum(map(proportional, _all(server)))
    return {
        f"RS256, processes: {_PROCESSES}, rate": statistics.median(by_rate),
        "least": min(by_rate),
        "most": max(by_rate),
        f"RS256, processes: {_PROCESSES}, processor": statistics.median(by_processor),
        "PSS of the server and its processes, MB": memory,
    }


def _fetch(server: Running, seconds: float) -> tuple[load.Load, float]:
    pids = _all(server)
    before = load.processor_time(pids)
    fetched = load.put(server.request, connections=_CONNECTIONS, seconds=seconds)
    used = load.processor_time(pids) - before
    assert not fetched.broken, fetched
    return fetched, used / (fetched.requests - fetched.refused)


def _all(server: Running) -> list[int]:
    """The server, and the processes that sign."""
    children = [
        int(child)
        for pid in server.pids
        for path in Path(f"/proc/{pid}/task").glob("*/children")
        for child in path.read_text().split()
    ]
    return [*server.pids, *children]
