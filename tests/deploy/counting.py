"""pyinfra with its remote work counted: `python -m tests.deploy.counting RESULT ARGUMENT…`.

What is counted is what paramiko sends, whoever asked for it: RESULT becomes JSON with a line for
each command, the names of files that were uploaded, and the processor time of this process.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from paramiko import Channel, SFTPClient
from pyinfra_cli.main import main

commands: list[str] = []
uploads: list[str] = []


def count() -> None:
    execute, put = Channel.exec_command, SFTPClient.putfo

    def counted(channel: Channel, command: str | bytes) -> None:
        commands.append(command if isinstance(command, str) else command.decode())
        execute(channel, command)

    def counted_put(client: SFTPClient, file: Any, remote: str, *rest: Any, **named: Any) -> Any:
        (address, *_) = client.get_channel().get_transport().getpeername()  # type: ignore[union-attr]
        uploads.append(f"{address} {remote}")
        return put(client, file, remote, *rest, **named)

    Channel.exec_command = counted  # type: ignore[method-assign,assignment]
    SFTPClient.putfo = counted_put  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    result = Path(sys.argv.pop(1))
    count()
    try:
        main()
    finally:
        result.write_text(
            json.dumps({"commands": commands, "uploads": uploads, "cpu": time.process_time()})
        )
