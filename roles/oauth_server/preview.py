"""The server's own word on its files, on this machine: a fault is known before a host is changed.

It is a process of its own: the deploy and the server never import each other. The host's release
checks the files once more before they replace the old ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from roles.errors import DeployError

_APP = Path(__file__).resolve().parent.parent.parent / "app"


def check(host: str, settings: str, clients: str) -> None:
    """Raise DeployError with a line for each fault of server.yaml and clients.json."""
    if faults := _faults(settings, clients):
        raise DeployError(
            "\n".join(["the inventory is refused:", *(f"{host}: {f}" for f in faults)])
        )


@cache
def _faults(settings: str, clients: str) -> tuple[str, ...]:
    """Once for hosts that are alike; what the program says has no value in it."""
    with tempfile.TemporaryDirectory() as directory:
        config, registered = Path(directory, "server.yaml"), Path(directory, "clients.json")
        # A lone surrogate is no text; the program says so.
        config.write_bytes(settings.encode(errors="surrogatepass"))
        registered.write_bytes(clients.encode(errors="surrogatepass"))
        result = subprocess.run(
            [
                *(sys.executable, "-m", "oauth_server", "check"),
                *("--config", str(config), "--clients", str(registered)),
            ],
            env={**os.environ, "PYTHONPATH": str(_APP)},
            capture_output=True,
            text=True,
        )
        if result.returncode == 0:
            return ()
        lines = [
            line.removeprefix("oauth-server: ").replace(f"{directory}/", "")
            for line in result.stderr.splitlines()
        ]
        return tuple(lines) or ("the server's check failed and said nothing",)
