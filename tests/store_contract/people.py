"""Sessions and remembered consents."""

from __future__ import annotations

import asyncio

import pytest

from oauth_server.store.interface import (
    Consent,
    Session,
    Store,
)
from tests.store_contract.grants import (
    MINUTE,
    MOMENT,
    Grant,
    begun,
    random_digest,
    random_name,
)


@pytest.mark.anyio
class SessionsContract:
    async def test_a_session_is_found_until_it_is_closed(self, store: Store) -> None:
        session_id = random_digest()
        session = Session(subject="alice", auth_time=1, credential=random_digest())
        assert await store.find_session(session_id) is None
        await store.open_session(session_id, session, lifetime=MINUTE)
        assert await store.find_session(session_id) == session
        await store.close_session(session_id)
        await store.close_session(session_id)
        assert await store.find_session(session_id) is None

    async def test_a_session_ends(self, store: Store) -> None:
        session_id = random_digest()
        session = Session(subject="alice", auth_time=1, credential="x")
        await store.open_session(session_id, session, lifetime=MOMENT)
        await asyncio.sleep(0.1)
        assert await store.find_session(session_id) is None


@pytest.mark.anyio
class ConsentsContract:
    async def test_a_consent_is_remembered_for_one_subject_and_client(self, store: Store) -> None:
        alice, bob = random_name("alice"), random_name("bob")
        first = Consent(scope="a", given_at=1)
        second = Consent(scope="a b", given_at=2, at={"https://api.example.com": "b"})
        assert await store.find_consent(alice, "app") is None
        await store.remember_consent(alice, "app", first)
        await store.remember_consent(alice, "app", second)
        await store.remember_consent(alice, "web", first)
        assert await store.find_consent(alice, "app") == second
        assert await store.list_consents(alice) == {"app": second, "web": first}
        assert await store.find_consent(bob, "app") is None
        assert await store.list_consents(bob) == {}

    async def test_withdrawing_revokes_what_it_gave_and_nothing_else(self, store: Store) -> None:
        """Also what was begun without a remembered consent, and codes that nobody redeemed yet."""
        first = await begun(store)
        subject, client_id = first.authorization.subject, first.authorization.client_id
        second, unspent = await begun(store, subject, client_id), Grant(subject, client_id)
        await unspent.save(store)
        others = [await begun(store, subject), await begun(store, None, client_id)]
        for client in (client_id, "another"):
            await store.remember_consent(subject, client, Consent(scope="a", given_at=1))

        await store.withdraw_consent(subject, client_id)

        assert await store.list_consents(subject) == {"another": Consent(scope="a", given_at=1)}
        for grant in (first, second):
            assert await store.find_refresh_token(grant.token()) is None
        assert await unspent.redeem(store) is None
        for grant in others:
            assert await store.find_refresh_token(grant.token()) is not None
        revoked = [
            await store.is_revoked(grant.identity()) for grant in (first, second, unspent, *others)
        ]
        assert revoked == [True, True, True, False, False]

    async def test_what_a_code_bought_is_withdrawn_long_after_its_own_end(
        self, store: Store
    ) -> None:
        grant = Grant()
        await grant.save(store, lifetime=MOMENT)
        await grant.redeem(store)
        await asyncio.sleep(0.1)
        await store.withdraw_consent(grant.authorization.subject, grant.authorization.client_id)
        assert await store.find_refresh_token(grant.token()) is None

    async def test_withdrawing_twice_and_nothing_is_no_error(self, store: Store) -> None:
        await store.withdraw_consent("nobody", "nothing")
        await store.withdraw_consent("nobody", "nothing")

    async def test_what_is_given_after_a_withdrawal_is_good(self, store: Store) -> None:
        grant = await begun(store)
        subject, client_id = grant.authorization.subject, grant.authorization.client_id
        await store.withdraw_consent(subject, client_id)
        again = await begun(store, subject, client_id)
        assert await again.rotate(store, again.first, random_digest()) == again.authorization
