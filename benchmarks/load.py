"""wrk as the load: what it got, and how long that took."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_REPORT = """
done = function(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"refused":%d,"broken":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True)
class Request:
    """A POST of a form."""

    url: str
    body: str
    headers: Mapping[str, str]

    def script(self) -> str:
        lines = ['wrk.method = "POST"', f"wrk.body = {json.dumps(self.body)}"]
        headers = {"Content-Type": "application/x-www-form-urlencoded", **self.headers}
        lines += [f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}" for k, v in headers.items()]
        return "\n".join(lines) + _REPORT


@dataclass(frozen=True)
class Load:
    """`p50` and `p99` are milliseconds; `processor` is seconds of wrk's own."""

    requests: int
    seconds: float
    processor: float
    p50: float
    p99: float
    refused: int
    broken: int

    @property
    def rate(self) -> float:
        return (self.requests - self.refused) / self.seconds


def put(request: Request, *, connections: int, seconds: float) -> Load:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(request.script())
        script.flush()
        before = _children()
        done = subprocess.run(
            [
                "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s",
                "-s", script.name, request.url,
            ],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    return Load(processor=_children() - before, **json.loads(done.stdout.splitlines()[-1]))


def _children() -> float:
    """Seconds of processor time of those that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def processor_time(pids: list[int]) -> float:
    """Seconds that these processes have used, threads included."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
