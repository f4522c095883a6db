"""Connections that are lost in the middle of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paramiko import SSHException
from pyinfra.api import Host


def losses_are_failures(host: Host) -> None:
    """Have a lost connection fail the host, as any other fault does.

    paramiko raises EOFError for some of them, which pyinfra 3.10 takes for a fault of its own and
    shows as a traceback. This can go when its SSH connector catches that as well.
    """
    connector = host.connector
    for name in ("run_shell_command", "put_file"):
        setattr(connector, name, _named(getattr(connector, name)))


def _named(call: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, **options)
        except EOFError:
            raise SSHException("the connection was lost") from None

    return guarded
