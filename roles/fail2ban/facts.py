"""From where the deploy comes."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from pyinfra.api import FactBase
from typing_extensions import override


class SshPeer(FactBase[str | None]):
    """The address that sshd sees this deploy come from; None for a connection that is not SSH.

    Ask with `_sudo=False`: sudo takes SSH_CONNECTION away.
    """

    @override
    def command(self) -> str:
        return 'echo "$SSH_CONNECTION"'

    @override
    def process(self, output: Iterable[str]) -> str | None:
        words = " ".join(output).split()
        # A link-local address comes with its interface, which is no part of what Fail2Ban sees.
        return str(ip_address(words[0].partition("%")[0])) if words else None
