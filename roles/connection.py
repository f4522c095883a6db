"""Connections that are lost in the middle of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from paramiko import SSHException
from pyinfra.api import Host
from pyinfra.api.exceptions import PyinfraError


def losses_are_failures(host: Host) -> None:
    """Have a lost connection fail the host, as any other fault does, and be told of in a line.

    paramiko raises EOFError for some of them, which pyinfra 3.10 takes for a fault of its own and
    shows as a traceback. This can go when its SSH connector catches that as well. gevent shows one
    of whatever ends a greenlet, even where pyinfra takes it from there and prints it.
    """
    hub = gevent.get_hub()
    if PyinfraError not in hub.NOT_ERROR:
        hub.NOT_ERROR = (*hub.NOT_ERROR, PyinfraError)
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
