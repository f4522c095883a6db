"""What a Redis that cannot answer looks like: an error in time, with a word that says why."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

import pytest

from oauth_server.errors import UnavailableError
from oauth_server.store.interface import Consent, RevocationKind, Session, TokenIdentity
from oauth_server.store.redis import RedisStore
from oauth_server.store.redis.endpoint import Socket
from tests.redis.server import Server
from tests.store_contract.grants import MINUTE, Grant, begun, random_digest

pytestmark = pytest.mark.anyio


async def reason(step: Awaitable[object]) -> str | None:
    """Why it was refused, within the bound."""
    start = time.monotonic()
    with pytest.raises(UnavailableError) as refused:
        await step
    assert time.monotonic() - start < 1.5
    return refused.value.reason


async def test_a_redis_that_died_is_told_at_once_and_used_again_when_it_is_back(
    redis: Server,
) -> None:
    store = redis.store()
    grant = await begun(store)
    redis.kill()
    for _ in range(3):
        start = time.monotonic()
        assert await reason(store.ping()) == "store_connection"
        assert time.monotonic() - start < 0.2
    redis.start()
    await store.ping()
    assert await grant.rotate(store, grant.first, random_digest()) == grant.authorization
    await store.close()


async def test_no_request_fails_because_redis_was_started_anew_meanwhile(redis: Server) -> None:
    """Idle connections are dead then, and none of them is used."""
    store = redis.store()
    await asyncio.gather(*(store.ping() for _ in range(32)))
    redis.kill()
    redis.start()
    await asyncio.sleep(0.05)
    await asyncio.gather(*(store.ping() for _ in range(64)))
    await store.close()


async def test_a_redis_that_hangs_is_given_up_in_time_by_all_who_wait(redis: Server) -> None:
    """Also by those for whom there is no connection left."""
    store = redis.store()
    await store.ping()
    redis.send(signal.SIGSTOP)
    start = time.monotonic()
    answers = await asyncio.gather(*(store.ping() for _ in range(200)), return_exceptions=True)
    # One connection after the other they would take seven bounds, of a second each.
    assert time.monotonic() - start < 3
    redis.send(signal.SIGCONT)
    reasons = {answer.reason for answer in answers if isinstance(answer, UnavailableError)}
    assert reasons == {"store_timeout", "store_busy"}
    assert len([answer for answer in answers if isinstance(answer, UnavailableError)]) == 200
    await store.ping()
    await store.close()


async def test_no_more_connections_are_made_than_the_bound(redis: Server) -> None:
    store = redis.store()
    await asyncio.gather(*(store.ping() for _ in range(500)))
    with redis.examine() as client:
        users = [entry["user"] for entry in client.client_list()]
    assert users.count("oauth_server") == 32
    await store.close()


async def test_a_wrong_password_is_named(redis: Server) -> None:
    store = redis.store(password="wrong")
    assert await reason(store.ping()) == "store_auth"
    await store.close()


async def test_a_user_that_lacks_a_right_is_named(redis: Server) -> None:
    store = redis.store()
    with redis.examine() as client:
        client.execute_command("ACL", "SETUSER", "oauth_server", "-evalsha")
        assert await reason(begun(store)) == "store_noperm"
        client.execute_command("ACL", "SETUSER", "oauth_server", "+evalsha", "-hset")
        assert await reason(begun(store)) == "store_noperm"
    await store.close()


async def test_the_rights_of_the_deploy_end_at_its_own_keys(redis: Server) -> None:
    store = redis.store()
    for key in ("other", "revocations2", "oauth", "OAUTH:code:x"):
        assert await reason(store._redis.command("probe", "GET", key)) == "store_noperm"
        assert await reason(store._redis.command("probe", "SET", key, "x")) == "store_noperm"
        script = "return redis.call('SET', ARGV[1], 'x')"
        probe = store._redis.command("probe", "EVAL", script, 0, key)
        assert await reason(probe) == "store_noperm"
    for command in (("FLUSHALL",), ("CONFIG", "GET", "*"), ("ACL", "LIST"), ("KEYS", "*")):
        assert await reason(store._redis.command("probe", *command)) == "store_noperm"
    # Nor has it a use for these: code that stays in Redis, others' connections and messages.
    for command in (("SCRIPT", "FLUSH"), ("CLIENT", "ID"), ("MULTI",), ("PUBLISH", "any", "x")):
        assert await reason(store._redis.command("probe", *command)) == "store_noperm"
    await store.close()


async def test_a_revocation_that_is_no_time_revokes_all_until_it_is_gone(redis: Server) -> None:
    """Who can write there could otherwise have each introspection fail with a traceback."""
    store, token = redis.store(), TokenIdentity("jti", "alice", "app", 1_700_000_000, None, None)
    with redis.examine() as client:
        for key in ("oauth:revoked:subject:alice", "oauth:revoked:client:app"):
            client.set(key, "x")
            assert await store.is_revoked(token)
            client.delete(key)
    assert not await store.is_revoked(token)
    await store.close()


@pytest.mark.parametrize("garbage", [b"x", b"{}", b"\xff", b"-1", b""])
async def test_what_another_program_has_written_is_an_error_with_a_word(
    redis: Server, garbage: bytes
) -> None:
    """Each field of all that is kept, one after the other: also what a newer version may write."""
    store = redis.store()
    grant, unspent, session = await begun(store), Grant(), random_digest()
    subject, client_id = grant.authorization.subject, grant.authorization.client_id
    await unspent.save(store)
    given = Consent(scope="telemetry:read", given_at=1)
    await store.remember_consent(subject, client_id, given)
    login = Session(subject=subject, auth_time=1, credential="x")
    await store.open_session(session, login, lifetime=MINUTE)
    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: store.present_code(unspent.code, unspent.proof),
        lambda: grant.present(store, grant.first),
        lambda: store.find_refresh_token(grant.token()),
        lambda: store.find_consent(subject, client_id),
        lambda: store.list_consents(subject),
        lambda: store.find_session(session),
    ]
    said: set[str | None] = set()

    async def take_all() -> None:
        for step in steps:
            try:
                await step()
            except UnavailableError as error:
                said.add(error.reason)

    with redis.examine() as client:
        for key in client.scan_iter("oauth:*", _type="HASH"):
            for name, value in client.hgetall(key).items():
                client.hset(key, name, garbage)
                await take_all()
                client.hset(key, name, value)
        for key in client.scan_iter("oauth:session:*"):
            client.set(key, garbage)
            await take_all()
    await store.close()
    assert said
    assert said <= {"store_unreadable", "store_error"}


async def test_a_redis_that_is_still_reading_its_file_is_named(redis: Server) -> None:
    """While it reads it answers after each 1024 commands: every tenth of a second or so."""
    store = redis.store()
    with redis.examine() as client, client.pipeline() as pipeline:
        for number in range(20_000):
            pipeline.set(f"oauth:filler:{number}", "x")
        pipeline.execute()
    redis.kill()
    redis.start("--key-load-delay", "50", wait=False)
    found = set()
    for _ in range(100):
        try:
            await store.ping()
            break
        except UnavailableError as error:
            found.add(error.reason)
        if "store_loading" in found:
            break
        await asyncio.sleep(0.05)
    await store.close()
    assert "store_loading" in found
    assert found <= {"store_loading", "store_connection", "store_timeout"}


async def test_a_replica_is_named_and_nothing_is_spent(redis: Server) -> None:
    store, grant = redis.store(), Grant()
    await grant.save(store)
    with redis.examine() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        assert await reason(grant.redeem(store)) in {"store_readonly", "store_masterdown"}
        client.execute_command("REPLICAOF", "NO", "ONE")
    assert await grant.redeem(store) == grant.authorization
    await store.close()


async def test_a_script_that_redis_forgot_is_loaded_again(redis: Server) -> None:
    store, grant = redis.store(), Grant()
    with redis.examine() as client:
        await grant.save(store)
        client.script_flush()
        assert await grant.redeem(store) == grant.authorization
        client.script_flush()
        answers = await asyncio.gather(*(grant.redeem(store) for _ in range(40)))
    assert answers == [grant.replay] * 40
    await store.close()


class TestFullMemory:
    """Redis refuses to write: nobody may be told that it was done."""

    def fill(self, redis: Server) -> None:
        with redis.examine() as client:
            client.config_set("maxmemory", "1")

    def drain(self, redis: Server) -> None:
        with redis.examine() as client:
            client.config_set("maxmemory", "100mb")

    @pytest.mark.parametrize("kind", list(RevocationKind))
    async def test_a_revocation_is_refused_or_done(
        self, redis: Server, kind: RevocationKind
    ) -> None:
        store = redis.store()
        token = TokenIdentity("value", "value", "value", 1, "value", "value")
        self.fill(redis)
        refusals = []
        try:
            await store.revoke(kind, "value")
        except UnavailableError as error:
            refusals.append(error.reason)
        claimed = not refusals
        assert claimed or refusals == ["store_oom"]
        assert await store.is_revoked(token) is claimed
        with redis.examine() as client:
            assert client.xlen("revocations") == claimed
        self.drain(redis)
        await store.revoke(kind, "value")
        assert await store.is_revoked(token)
        await store.close()

    async def test_a_family_can_be_ended_even_so(self, redis: Server) -> None:
        """To end one gives back memory first; Redis lets a script finish what it has begun."""
        store = redis.store()
        replayed, reused = await begun(store), await begun(store)
        self.fill(redis)
        assert await replayed.redeem(store) == replayed.replay
        assert await reused.present(store, random_digest()) == reused.replay
        self.drain(redis)
        for grant in (replayed, reused):
            assert await store.is_revoked(grant.identity())
            assert await store.find_refresh_token(grant.token()) is None
        await store.close()

    async def test_nothing_is_spent_or_rotated(self, redis: Server) -> None:
        store, unspent = redis.store(), Grant()
        await unspent.save(store)
        live = await begun(store)
        self.fill(redis)
        assert await reason(unspent.redeem(store)) == "store_oom"
        assert await reason(live.rotate(store, live.first, random_digest())) == "store_oom"
        assert await reason(Grant().save(store)) == "store_oom"
        assert await store.present_code(unspent.code, unspent.proof) == unspent.authorization
        self.drain(redis)
        assert await unspent.redeem(store) == unspent.authorization
        assert await live.rotate(store, live.first, random_digest()) == live.authorization
        await store.close()


async def test_a_full_disk_is_no_success(redis: Server) -> None:
    """Redis ends itself when it cannot write what it was about to answer; the rest is kept."""
    store = redis.store()
    kept = await begun(store)
    redis.fill_disk()
    told: list[Grant] = []
    for _ in range(2000):
        grant = Grant()
        try:
            await grant.save(store)
            await store.revoke(RevocationKind.FAMILY, grant.family)
        except UnavailableError:
            break
        told.append(grant)
    else:
        raise AssertionError("the disk did not fill up")
    redis.kill()
    redis.start()
    for grant in told:
        assert await store.is_revoked(grant.identity())
    assert await kept.rotate(store, kept.first, random_digest()) == kept.authorization
    await store.close()


async def test_the_observer_is_told_of_each_step(redis: Server) -> None:
    seen: list[tuple[str, bool]] = []

    def observer(step: str, seconds: float, answered: bool) -> None:
        assert 0 <= seconds < 2
        seen.append((step, answered))

    store = redis.store(observer=observer)
    await begun(store)
    redis.kill()
    assert await reason(store.ping()) == "store_connection"
    await store.close()
    assert seen == [("save_code", True), ("redeem_code", True), ("ping", False)]


@pytest.mark.parametrize("credentials", [(None, None), ("default", ""), ("default", "x")])
async def test_nobody_is_the_default_user(
    redis: Server, credentials: tuple[str | None, str | None]
) -> None:
    """Its rights are for what Redis itself replays at a start."""
    store = RedisStore(Socket(redis.socket), *credentials)
    assert await reason(store._redis.command("probe", "SET", "oauth:x", "x")) == "store_auth"
    await store.close()
