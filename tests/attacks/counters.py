"""What the kernel of a lab host counts in its own network namespace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.attacks.arena import Arena

_READ = "cat /proc/net/netstat /proc/net/snmp"
_TABLE = "cat /proc/sys/net/netfilter/nf_conntrack_count 2> /dev/null || echo 0"
_MEMORY = "cat /proc/$(systemctl show --value --property=MainPID oauth-server)/status"


@dataclass
class Counted:
    """What came meanwhile, and for how long (seconds) this machine's cores were busy.

    `tracked` is how many connections the firewall's table had at the end.
    """

    kernel: dict[str, int] = field(default_factory=dict)
    busy: float = 0.0
    tracked: int = 0

    def __getitem__(self, name: str) -> int:
        return self.kernel.get(name, 0)


@contextmanager
def counting(arena: Arena) -> Iterator[Counted]:
    counted = Counted()
    before, busy = _kernel(arena), _busy()
    yield counted
    counted.busy = _busy() - busy
    counted.tracked = int(arena.on_host(_TABLE))
    counted.kernel = {name: value - before.get(name, 0) for name, value in _kernel(arena).items()}


def _kernel(arena: Arena) -> dict[str, int]:
    lines = arena.on_host(_READ).splitlines()
    return {
        head.split(":")[0] + name: int(value)
        for head, values in zip(lines[::2], lines[1::2], strict=True)
        for name, value in zip(head.split()[1:], values.split()[1:], strict=True)
    }


def _busy() -> float:
    fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) / 100


def resident(arena: Arena) -> int:
    """The server's memory, in MB."""
    for line in arena.on_host(_MEMORY).splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    raise AssertionError("the server does not run")
