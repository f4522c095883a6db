"""Who listens on which TCP port, from `ss -H -ltnp`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address


@dataclass(frozen=True)
class Listener:
    """`programs` is empty where the account may not see them."""

    address: str
    port: int
    programs: frozenset[str]

    @property
    def is_local(self) -> bool:
        """Whether only this host itself can connect."""
        return self.address not in ("*", "") and ip_address(self.address).is_loopback


def parse(lines: Iterable[str]) -> list[Listener]:
    """One listener a line; the address may carry an interface (`127.0.0.53%lo`)."""
    found = []
    for line in lines:
        columns = line.split()
        if len(columns) < 5:
            continue
        address, _, port = columns[3].rpartition(":")
        address = address.partition("%")[0].strip("[]")
        programs = frozenset(re.findall(r'\("([^"]+)",pid=', line))
        found.append(Listener(address, int(port), programs))
    return found
