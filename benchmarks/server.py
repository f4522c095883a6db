"""Our server as it is deployed, but for TLS on a TCP socket that it inherits: `serve` without."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

from oauth_server import clients, loading, systemd, users
from oauth_server.composition.server import Server
from oauth_server.loading import Loaded
from oauth_server.log import LogFile
from oauth_server.settings import Settings, load
from oauth_server.store.memory import MemoryStore


def main(config: Path, descriptor: int) -> None:
    listening = socket.socket(fileno=descriptor)
    listening.setblocking(False)
    settings: Settings = load(config)
    loaded = Loaded(
        settings,
        clients.load(Path(settings.clients_file)),
        loading.ring(settings),
        users.load(Path(settings.users_file)),
    )
    server = Server(
        loaded,
        store=MemoryStore(),
        sink=LogFile(Path(settings.log_file)),
        sockets=[systemd.Passed("plain", listening)],
    )
    asyncio.run(server.run())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
