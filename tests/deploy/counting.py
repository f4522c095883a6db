"""pyinfra with its remote work counted: `python -m tests.deploy.counting RESULT ARGUMENT…`.

What is counted is what paramiko sends, whoever asks for it. RESULT becomes JSON: `commands` has
host and text of each command, `uploads` has host, size in bytes, begin and end in seconds of each.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from paramiko import Channel, SFTPClient, Transport
from pyinfra_cli.main import main

commands: list[tuple[str, str]] = []
uploads: list[tuple[str, int, float, float]] = []


def count() -> None:
    execute, put = Channel.exec_command, SFTPClient.putfo

    def counted(channel: Channel, command: Any) -> None:
        text = command.decode() if isinstance(command, bytes) else str(command)
        commands.append((_host(channel), text))
        execute(channel, command)

    def counted_put(client: SFTPClient, *arguments: Any, **named: Any) -> Any:
        begin = time.monotonic()
        attributes = put(client, *arguments, **named)
        host = _host(client.get_channel())
        uploads.append((host, attributes.st_size or 0, begin, time.monotonic()))
        return attributes

    Channel.exec_command = counted  # type: ignore[assignment,method-assign]
    SFTPClient.putfo = counted_put  # type: ignore[assignment,method-assign]


def _host(channel: Channel | None) -> str:
    transport = channel.get_transport() if channel else None
    assert isinstance(transport, Transport)
    return str(transport.getpeername()[0])


if __name__ == "__main__":
    result = Path(sys.argv.pop(1))
    count()
    try:
        main()
    finally:
        result.write_text(json.dumps({"commands": commands, "uploads": uploads}))
