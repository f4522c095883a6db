"""The server's own word on its files, on this machine: a fault is known before a host is changed.

It is a process of its own: the deploy and the server never import each other. The host's release
checks the files once more before they replace the old ones.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from roles.errors import DeployError
from roles.oauth_server.release import digest, server_files

_ROOT = Path(__file__).resolve().parent.parent.parent
_APP = _ROOT / "app"
# Empty files, named after what was found without a fault: starting the program takes a while.
_PASSED = _ROOT / ".cache" / "previews"


def check(host: str, settings: str, clients: str, users: str | None) -> None:
    """Raise DeployError with a line for each fault of server.yaml, clients.json and users.json."""
    if faults := _faults(settings, clients, users):
        raise DeployError(
            "\n".join(["the inventory is refused:", *(f"{host}: {f}" for f in faults)])
        )


@cache
def _faults(settings: str, clients: str, users: str | None) -> tuple[str, ...]:
    """Once for files that are alike; what the program says has no value in it."""
    passed = _PASSED / _inputs(settings, clients, users)
    if passed.exists():
        return ()
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
            _PASSED.mkdir(parents=True, exist_ok=True)
            passed.touch()
            return ()
        lines = [
            line.removeprefix("oauth-server: ").replace(f"{directory}/", "")
            for line in result.stderr.splitlines()
        ]
        return tuple(lines) or ("the server's check failed and said nothing",)


def _inputs(*texts: str | None) -> str:
    """A digest of the files and of everything that judges them."""
    judge = digest(Path(__file__), _ROOT / "requirements.lock", *server_files()), sys.version
    return hashlib.sha256(repr((judge, texts)).encode()).hexdigest()
