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


def check(host: str, settings: str, clients: str, users: str | None) -> None:
    """Raise DeployError with a line for each fault of server.yaml, clients.json and users.json."""
    if faults := _faults(settings, clients, users):
        raise DeployError(
            "\n".join(["the inventory is refused:", *(f"{host}: {f}" for f in faults)])
        )


@cache
def _faults(settings: str, clients: str, users: str | None) -> tuple[str, ...]:
    """Once for hosts that are alike; what the program says has no value in it."""
    with tempfile.TemporaryDirectory() as directory:
        options = []
        for option, name, content in (
            ("--config", "server.yaml", settings),
            ("--clients", "clients.json", clients),
            ("--users", "users.json", users),
        ):
            if content is not None:
                path = Path(directory, name)
                # A lone surrogate is no text; the program says so.
                path.write_bytes(content.encode(errors="surrogatepass"))
                options += [option, str(path)]
        result = subprocess.run(
            [sys.executable, "-m", "oauth_server", "check", *options],
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
