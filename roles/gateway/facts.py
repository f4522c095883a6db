"""What the gateway can listen on."""

from __future__ import annotations

from collections.abc import Iterable

from pyinfra.api import FactBase
from typing_extensions import override


class HasIpv6(FactBase[bool]):
    """Whether the kernel has IPv6 sockets; without (ipv6.disable=1), nginx stops at `[::]`."""

    @override
    def command(self) -> str:
        return "test -e /proc/net/if_inet6 && echo yes; true"

    @override
    def process(self, output: Iterable[str]) -> bool:
        return list(output) == ["yes"]

    @staticmethod
    @override
    def default() -> bool:
        return False
