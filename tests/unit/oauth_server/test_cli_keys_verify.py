"""`keys verify` right after a change, which the running server follows within seconds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from oauth_server.cli import keys_verify
from oauth_server.cli.keys_finding import Finding
from oauth_server.cli.keys_verify import Address, Subject
from oauth_server.keys.entry import Entry
from oauth_server.settings import Settings
from tests.unit.oauth_server.keys.rings import POLICY

WRONG, RIGHT = Finding(ok=False, what="lacks a key"), Finding(ok=True, what="has the key")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What each look finds, in turn."""
    found = [WRONG, WRONG, RIGHT]

    def check(_: Subject, __: Sequence[Entry]) -> Iterator[Finding]:
        yield found.pop(0)

    monkeypatch.setattr(keys_verify, "CHECKS", [check])
    monkeypatch.setattr(keys_verify, "_AGAIN", 0)
    return found


def verify(directory: Path) -> int:
    nowhere = Address("127.0.0.1", 1)
    settings = Settings(issuer="https://auth.example.org")
    subject = Subject(settings, POLICY, directory, nowhere, nowhere)
    return keys_verify.run(subject, as_json=False)


def test_what_the_server_may_still_be_following_is_looked_at_again(
    ring_directory: Path, looks: list[Finding], capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(ring_directory) == 0
    assert capsys.readouterr().out == "ok     has the key\n"
    assert looks == []


def test_what_is_wrong_with_an_old_ring_is_said_at_once(
    ring_directory: Path, looks: list[Finding]
) -> None:
    os.utime(ring_directory / "ring", (10**9, 10**9))
    assert verify(ring_directory) == 1
    assert looks == [WRONG, RIGHT]
