"""A place for `oauth-server keys` to work at."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from oauth_server import cli
from oauth_server.cli import keys as commands
from oauth_server.keys import ring, served
from oauth_server.keys.entry import State
from oauth_server.keys.served import ServedFile
from tests.unit.oauth_server.keys import rings

Output = pytest.CaptureFixture[str]
NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)


class Site:
    """A keys directory with its settings, and a clock that tests set."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        self.keys = directory / "keys"
        self.state = directory
        self.config = directory / "server.yaml"
        self.config.write_text(
            "issuer: https://auth.example.com\nsigning: {algorithm: EdDSA}\n"
            f"keys_directory: {self.keys}\nstate_directory: {directory}\n"
        )
        monkeypatch.setattr(commands, "_now", lambda: self.now)

    def run(self, command: str, *arguments: str) -> int:
        return cli.main(["keys", command, "--config", str(self.config), *arguments])

    def serve(self, since: datetime) -> None:
        """As the running server would note."""
        kids = [path.name for path in ring.entries(self.keys / "ring")]
        ServedFile(self.state / served.FILE).note(kids, None, since)

    def kid(self, state: State) -> str:
        return rings.entries(self.keys, state)[0].kid


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> Site:
    made = Site(tmp_path, monkeypatch)
    assert made.run("init") == 0
    assert capsys.readouterr().out.strip() == made.kid(State.ACTIVE)
    return made
