"""The stream `revocations`: other people's programs read it, so that every word of it is fixed."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from oauth_server.store.interface import TOKENS_LIVE, RevocationKind
from tests.redis.server import Server
from tests.store_contract.grants import MINUTE, Grant, begun, random_digest

pytestmark = pytest.mark.anyio


def entries(redis: Server, after: str = "-") -> list[tuple[str, dict[str, str]]]:
    with redis.examine() as client:
        start = after if after == "-" else f"({after}"
        # redis-py keeps the order of an entry's fields.
        found: list[tuple[str, dict[str, str]]] = client.xrange("revocations", start, "+")
        return found


@pytest.mark.parametrize("kind", list(RevocationKind))
async def test_an_entry_has_four_fields_in_the_form_that_is_documented(
    redis: Server, kind: RevocationKind
) -> None:
    store, now = redis.store(), int(time.time())
    await store.revoke(kind, "value of: it", until=now + 100)
    await store.close()
    [(_, fields)] = entries(redis)
    assert list(fields) == ["kind", "value", "not-after", "issued-at"]
    assert fields["kind"] == {"subject": "subject"}.get(kind.value, kind.value)
    assert fields["value"] == "value of: it"
    assert fields["not-after"] == str(now + 100)
    assert int(fields["issued-at"]) in {now, now + 1}


@pytest.mark.parametrize("kind", list(RevocationKind))
async def test_without_an_end_an_entry_outlives_every_access_token(
    redis: Server, kind: RevocationKind
) -> None:
    store = redis.store()
    await store.revoke(kind, "value")
    await store.close()
    [(_, fields)] = entries(redis)
    lasts = int(fields["not-after"]) - int(fields["issued-at"])
    assert timedelta(seconds=lasts) == TOKENS_LIVE


@pytest.mark.parametrize("kind", list(RevocationKind))
async def test_revoking_again_does_not_make_the_stream_longer(
    redis: Server, kind: RevocationKind
) -> None:
    store, now = redis.store(), int(time.time())
    for until in (None, now + 60, None, now + 90_000, now + 90_000, None):
        await store.revoke(kind, "value", until=until)
    await asyncio.sleep(1.1)
    await store.revoke(kind, "value")
    await store.close()
    [(_, fields)] = entries(redis)
    assert fields["not-after"] == str(now + 90_000)
    with redis.examine() as client:
        assert client.zcard("oauth:revocations") == 1


@pytest.mark.parametrize("kind", [RevocationKind.JTI, RevocationKind.FAMILY, RevocationKind.KEY])
async def test_what_is_revoked_already_makes_no_entry_at_all(
    redis: Server, kind: RevocationKind
) -> None:
    """Who revokes one token for ever and ever wakes no edge by it."""
    store = redis.store()
    await store.revoke(kind, "value")
    before = entries(redis)
    await asyncio.sleep(1.1)
    for _ in range(20):
        await store.revoke(kind, "value")
    await store.close()
    assert entries(redis) == before


async def test_a_reader_that_was_away_sees_what_it_missed_once(redis: Server) -> None:
    """Also where what it missed took the place of what it had seen."""
    store = redis.store()
    await store.revoke(RevocationKind.SUBJECT, "alice")
    await store.revoke(RevocationKind.JTI, "first")
    last = entries(redis)[-1][0]
    await asyncio.sleep(1.1)
    await store.revoke(RevocationKind.JTI, "second")
    await store.revoke(RevocationKind.SUBJECT, "alice")
    await store.close()
    missed = [fields["value"] for _, fields in entries(redis, last)]
    assert missed == ["second", "alice"]
    assert len(entries(redis)) == 3


async def test_every_way_to_end_a_family_tells_the_edges_once(redis: Server) -> None:
    store = redis.store()
    replayed, reused, withdrawn, revoked = [await begun(store) for _ in range(4)]
    for _ in range(3):
        await replayed.redeem(store)
        await reused.present(store, random_digest())
        identity = withdrawn.authorization
        await store.withdraw_consent(identity.subject, identity.client_id)
        await store.revoke(RevocationKind.FAMILY, revoked.family)
    await store.close()
    families = [grant.family for grant in (replayed, reused, withdrawn, revoked)]
    assert [fields["value"] for _, fields in entries(redis)] == families
    assert {fields["kind"] for _, fields in entries(redis)} == {"family"}


async def test_entries_that_are_over_go_whatever_stands_before_them(redis: Server) -> None:
    """A long one at the head of the stream must not keep a thousand short ones behind it."""
    store, now = redis.store(), int(time.time())
    await store.revoke(RevocationKind.CLIENT, "long")
    for number in range(200):
        await store.revoke(RevocationKind.JTI, f"{number}", until=now + 2)
    await asyncio.sleep(max(0.0, now + 3.1 - time.time()))
    for number in range(20):
        await store.revoke(RevocationKind.JTI, f"later-{number}", until=now + 600)
    await store.close()
    kept = [fields["value"] for _, fields in entries(redis)]
    assert kept == ["long", *(f"later-{number}" for number in range(20))]
    with redis.examine() as client:
        assert client.zcard("oauth:revocations") == 21
        assert len(list(client.scan_iter("oauth:revoked:*"))) == 21


async def test_one_call_sweeps_a_bounded_part(redis: Server) -> None:
    store, now = redis.store(), int(time.time())
    for number in range(100):
        await store.revoke(RevocationKind.JTI, f"{number}", until=now + 2)
    await asyncio.sleep(max(0.0, now + 3.1 - time.time()))
    await store.revoke(RevocationKind.JTI, "later", until=now + 600)
    await store.close()
    assert len(entries(redis)) == 101 - 16


async def test_every_key_but_a_consents_has_an_end(redis: Server) -> None:
    """Nothing is kept for ever but what a user can take back."""
    store = redis.store()
    grant = await begun(store)
    await Grant().save(store)
    for kind in RevocationKind:
        await store.revoke(kind, "value")
    await store.use_assertion("client", "jti", lifetime=MINUTE)
    await store.remember_device(random_digest(), "alice", lifetime=MINUTE)
    assert await grant.present(store, grant.first) == grant.authorization
    await store.close()
    client: Any
    with redis.examine() as client:
        endless = {key for key in client.scan_iter("*") if client.ttl(key) == -1}
    assert endless == {"revocations", "oauth:revocations"}
