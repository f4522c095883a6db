from __future__ import annotations

import asyncio
import re
from pathlib import Path

from tests.server import fuzzing
from tests.server.process import Server, Site, serving

_SEED = 20261124
_REQUESTS = 100_000
_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (-|[0-9a-f.:]+) \d{3} (-|[a-z_]+) [a-z_]+"
    r"( [a-z_]+=(\?|[A-Za-z0-9._:/%-]*))+"
)
# What allocators and caches still take after a first part of the run; a leak of a hundred bytes
# a request would be far beyond it.
_GROWTH = 6 * 1024


def test_100000_bent_requests_find_no_fault_and_leave_nothing_behind(
    tmp_path: Path, site: Site
) -> None:
    """No 500, no word in the journal, no second line in the log, and no growth of memory."""
    with serving(tmp_path, site) as server:
        warm = asyncio.run(fuzzing.fuzz(server.unix, _SEED, _REQUESTS // 4))
        before = _resident(server)
        rest = asyncio.run(fuzzing.fuzz(server.unix, _SEED + 1, _REQUESTS - _REQUESTS // 4))
        grown = _resident(server) - before
        for report in (warm, rest):
            assert report.failures == []
        # It is a fuzzer that gets somewhere: every kind of answer was given.
        assert {200, 400, 401, 404, 405} <= warm.statuses.keys(), warm.statuses
        assert grown < _GROWTH, f"{grown} KiB more after the same again"
        assert server.journal == ""
        for line in server.log():
            found = _LINE.fullmatch(line)
            assert found, line
            assert found[1] != fuzzing.FORGED, line


def _resident(server: Server) -> int:
    """Anonymous memory in KiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1])
