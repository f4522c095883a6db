"""What the hosts of a fleet say."""

from __future__ import annotations

import pytest

from oauth_server.store.interface import (
    STATEMENT_LENGTH,
    Store,
)
from tests.store_contract.grants import (
    random_name,
)


@pytest.mark.anyio
class BoardContract:
    async def test_what_a_host_said_last_is_read_by_all(self, store: Store) -> None:
        one, two = random_name("host"), random_name("host")
        await store.announce(one, "first.of.one")
        await store.announce(two, "first.of.two")
        await store.announce(one, "second.of.one")
        said = await store.announcements([one, two, random_name("nobody")])
        assert said == {one: "second.of.one", two: "first.of.two"}

    async def test_nobody_is_asked_for_nothing(self, store: Store) -> None:
        assert await store.announcements([]) == {}

    async def test_what_is_too_long_is_not_read(self, store: Store) -> None:
        host = random_name("host")
        await store.announce(host, "a" * STATEMENT_LENGTH)
        assert len((await store.announcements([host]))[host]) == STATEMENT_LENGTH
        await store.announce(host, "a" * (STATEMENT_LENGTH + 1))
        assert await store.announcements([host]) == {}
