"""The memory store and Redis do the same, whatever is asked of them in whatever order."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from oauth_server.models import Authorization
from oauth_server.store.interface import (
    Consent,
    Digest,
    Limit,
    Proof,
    RefreshToken,
    RevocationKind,
    Store,
    TokenIdentity,
)
from oauth_server.store.memory import MemoryStore
from tests.redis.programs import Program
from tests.redis.server import Server

_DAY = timedelta(days=1)
_FEW = st.integers(0, 2)
_GRACES = st.sampled_from([timedelta(0), timedelta(hours=1)])
_KINDS = st.sampled_from(list(RevocationKind))


class SameAnswers(RuleBasedStateMachine):
    """A few subjects, clients, codes and secrets, so that they meet."""

    redis: ClassVar[Server]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stores: tuple[Store, Store] = MemoryStore(), self.redis.store()
        # Each run has names of its own in one Redis.
        self.run = secrets.token_hex(4)
        self.secrets = itertools.count()
        self.current: dict[int, list[Digest]] = {}

    def teardown(self) -> None:
        for store in self.stores:
            self.loop.run_until_complete(store.close())
        self.loop.close()

    def same(self, step: Callable[[Store], Awaitable[Any]]) -> Any:
        async def both() -> list[Any]:
            # Redis' clock is finer than the order of two answers in one microsecond.
            await asyncio.sleep(0.0001)
            return [await step(store) for store in self.stores]

        memory, redis = self.loop.run_until_complete(both())
        assert memory == redis
        return redis

    def name(self, kind: str, number: int) -> str:
        return f"{kind}{number}-{self.run}"

    def authorization(self, number: int) -> Authorization:
        """Family `number` is of one of two subjects and clients."""
        return Authorization(
            family=self.name("family", number),
            client_id=self.name("client", number % 2),
            subject=self.name("subject", number // 2),
            scope="a",
            audience=(),
            auth_time=number,
        )

    def proof(self, number: int, variant: int = 0) -> Proof:
        return Proof(self.name("client", number % 2), "", f"challenge{variant}")

    def token(self, number: int, secret: int, handle: int) -> RefreshToken:
        """One of those that the family has had, the newest first."""
        had = self.current.get(number, [])
        text = had[-1 - secret] if secret < len(had) else Digest("never was")
        handle_text = Digest(self.name("handle", number if handle < 2 else 9))
        return RefreshToken(self.name("family", number), handle_text, text)

    @rule(number=_FEW)
    def save(self, number: int) -> None:
        code = Digest(self.name("code", number))
        self.same(
            lambda store: store.save_code(
                code, self.proof(number), self.authorization(number), lifetime=_DAY, remembered=_DAY
            )
        )

    @rule(number=_FEW, variant=st.sampled_from([0, 0, 0, 1]))
    def present(self, number: int, variant: int) -> None:
        code, proof = Digest(self.name("code", number)), self.proof(number, variant)
        self.same(lambda store: store.present_code(code, proof))

    @rule(number=_FEW, variant=st.sampled_from([0, 0, 0, 1]), refresh=st.booleans())
    def redeem(self, number: int, variant: int, refresh: bool) -> None:
        code, proof = Digest(self.name("code", number)), self.proof(number, variant)
        secret = Digest(f"secret{next(self.secrets)}")
        token = RefreshToken(
            self.name("family", number), Digest(self.name("handle", number)), secret
        )
        answer = self.same(
            lambda store: store.redeem_code(code, proof, token if refresh else None, lifetime=_DAY)
        )
        if refresh and isinstance(answer, Authorization):
            self.current[number] = [secret]

    @rule(number=_FEW, secret=_FEW, handle=_FEW, client=_FEW, grace=_GRACES)
    def present_token(
        self, number: int, secret: int, handle: int, client: int, grace: timedelta
    ) -> None:
        token = self.token(number, secret, handle)
        client_id = self.name("client", client if client == 2 else number % 2)
        self.same(lambda store: store.present_refresh_token(token, client_id, grace=grace))

    @rule(number=_FEW, secret=_FEW, grace=_GRACES)
    def rotate(self, number: int, secret: int, grace: timedelta) -> None:
        token, successor = self.token(number, secret, 0), Digest(f"secret{next(self.secrets)}")
        client_id = self.name("client", number % 2)
        answer = self.same(
            lambda store: store.rotate_refresh_token(token, client_id, successor, grace=grace)
        )
        if isinstance(answer, Authorization):
            self.current[number].append(successor)
        self.one_branch(number)

    def one_branch(self, number: int) -> None:
        live = 0
        for secret in self.current.get(number, []):
            token = RefreshToken(
                self.name("family", number), Digest(self.name("handle", number)), secret
            )
            live += self.find(token) is not None
        assert live <= 1

    def find(self, token: RefreshToken) -> Authorization | None:
        async def found(store: Store) -> Authorization | None:
            answer = await store.find_refresh_token(token)
            assert answer is None or abs(answer[1] - time.time() - 86400) < 60
            return None if answer is None else answer[0]

        authorization: Authorization | None = self.same(found)
        return authorization

    @rule(kind=_KINDS, number=_FEW, until=st.sampled_from([None, -5, 60, 100_000]))
    def revoke(self, kind: RevocationKind, number: int, until: int | None) -> None:
        moment = None if until is None else int(time.time()) + until
        value = self.name(kind.value, number)
        self.same(lambda store: store.revoke(kind, value, until=moment))

    @rule(number=_FEW, age=st.sampled_from([-100, 100]))
    def ask_whether_revoked(self, number: int, age: int) -> None:
        authorization = self.authorization(number)
        token = TokenIdentity(
            jti=self.name("jti", number),
            subject=authorization.subject,
            client_id=authorization.client_id,
            issued_at=int(time.time()) - age,
            family=authorization.family if number else None,
            kid=self.name("key", number) if number else None,
        )
        self.same(lambda store: store.is_revoked(token))

    @rule(subject=st.integers(0, 1), client=st.integers(0, 1), scope=st.sampled_from(["a", "b"]))
    def consent(self, subject: int, client: int, scope: str) -> None:
        names = self.name("subject", subject), self.name("client", client)
        consent = Consent(scope=scope, given_at=1)
        self.same(lambda store: store.remember_consent(*names, consent))
        self.same(lambda store: store.find_consent(*names))

    @rule(subject=st.integers(0, 1), client=st.integers(0, 1))
    def withdraw(self, subject: int, client: int) -> None:
        names = self.name("subject", subject), self.name("client", client)
        self.same(lambda store: store.withdraw_consent(*names))
        self.same(lambda store: store.list_consents(names[0]))

    @rule(numbers=st.lists(_FEW, min_size=1, max_size=3, unique=True), back=st.booleans())
    def attempt(self, numbers: list[int], back: bool) -> None:
        limits = [Limit(self.name("limit", number), 1 + number, _DAY) for number in numbers]
        if back:
            self.same(lambda store: store.forgive(limits))

        async def may_go_on(store: Store) -> bool:
            return await store.attempt(limits) is None

        self.same(may_go_on)

    @rule(client=_FEW, jti=_FEW)
    def use_assertion(self, client: int, jti: int) -> None:
        names = self.name("client", client), f"jti{jti}"
        self.same(lambda store: store.use_assertion(*names, lifetime=_DAY))

    @initialize()
    def begin(self) -> None:
        """Most of what is worth asking needs a family that lives."""
        for number in range(3):
            self.save(number)
            self.redeem(number, 0, True)


@pytest.fixture
def fast(program: Program) -> Any:
    """What is written need not outlive this test: no disk in the way."""
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        server = Server(Path(directory), program).start("--appendfsync", "no")
        yield server
        server.kill()


def test_memory_and_redis_answer_alike(fast: Server) -> None:
    class Machine(SameAnswers):
        redis = fast

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None)
    )
