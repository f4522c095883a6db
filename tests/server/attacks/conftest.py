from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import low_level

from oauth_server.users import User
from tests.server.attacks.inside import CountedHashes, Inside

HASH = "$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "B" * 42 + "A"
ALICE = User(username="alice", password_hash=HASH)
GONE = User(username="gone", password_hash=HASH, disabled=True)


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> CountedHashes:
    counted = CountedHashes()
    monkeypatch.setattr(low_level, "verify_secret", counted)
    return counted


@pytest.fixture
def inside(hashes: CountedHashes) -> Iterator[Inside]:  # noqa: ARG001 - none is computed
    made = Inside([ALICE, GONE])
    yield made
    made.close()
