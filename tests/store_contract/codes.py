"""Codes: each is spent once, and what a replay ends."""

from __future__ import annotations

import asyncio

import pytest

from oauth_server.store.interface import (
    Proof,
    RevocationKind,
    Store,
)
from tests.store_contract.grants import (
    MINUTE,
    MOMENT,
    Grant,
    begun,
    random_digest,
)


def _mismatches(grant: Grant) -> list[Proof]:
    client_id, redirect_uri, challenge = (
        grant.proof.client_id,
        grant.proof.redirect_uri,
        grant.proof.code_challenge,
    )
    return [
        Proof("somebody-else", redirect_uri, challenge),
        Proof(client_id, redirect_uri + "/", challenge),
        Proof(client_id, "", challenge),
        Proof(client_id, redirect_uri, challenge[:-1]),
        Proof(client_id + redirect_uri[:1], redirect_uri[1:], challenge),
    ]


@pytest.mark.anyio
class CodesContract:
    async def test_a_code_gives_its_authorization_once(self, store: Store) -> None:
        grant = Grant()
        await grant.save(store)
        assert await grant.redeem(store) == grant.authorization
        assert await grant.redeem(store) == grant.replay

    async def test_an_unknown_code_gives_nothing(self, store: Store) -> None:
        grant = Grant()
        assert await grant.redeem(store) is None
        assert await store.present_code(grant.code, grant.proof) is None

    async def test_presenting_a_code_does_not_spend_it(self, store: Store) -> None:
        grant = Grant()
        await grant.save(store)
        for _ in range(10):
            assert await store.present_code(grant.code, grant.proof) == grant.authorization
        assert await grant.redeem(store) == grant.authorization

    async def test_a_code_expires(self, store: Store) -> None:
        grant = Grant()
        await grant.save(store, lifetime=MOMENT)
        await asyncio.sleep(0.1)
        assert await store.present_code(grant.code, grant.proof) is None
        assert await grant.redeem(store) is None

    async def test_a_spent_code_is_remembered_beyond_its_own_lifetime(self, store: Store) -> None:
        grant = Grant()
        await grant.save(store, lifetime=MOMENT)
        await grant.redeem(store)
        await asyncio.sleep(0.1)
        assert await store.present_code(grant.code, grant.proof) == grant.replay

    async def test_a_spent_code_is_forgotten_in_the_end(self, store: Store) -> None:
        grant = Grant()
        await grant.save(store, remembered=MOMENT)
        await grant.redeem(store)
        await asyncio.sleep(0.1)
        assert await store.present_code(grant.code, grant.proof) is None

    async def test_four_proofs_that_do_not_match_spend_nothing(self, store: Store) -> None:
        """Who found a code cannot burn it without the verifier (RFC 7636 §4.6)."""
        grant = Grant()
        await grant.save(store)
        for number, proof in enumerate(_mismatches(grant)[:4]):
            answer = (
                await store.present_code(grant.code, proof)
                if number % 2
                else await grant.redeem(store, proof)
            )
            assert answer is None
        assert await grant.redeem(store) == grant.authorization
        assert not await store.is_revoked(grant.identity())

    async def test_five_proofs_that_do_not_match_void_a_code(self, store: Store) -> None:
        grant = Grant()
        await grant.save(store)
        for proof in _mismatches(grant):
            assert await grant.redeem(store, proof) is None
        assert await store.present_code(grant.code, grant.proof) is None
        assert await grant.redeem(store) is None

    async def test_no_number_of_wrong_proofs_hides_a_replay(self, store: Store) -> None:
        grant = await begun(store)
        for _ in range(2):
            for proof in _mismatches(grant):
                assert await grant.redeem(store, proof) is None
        assert await grant.present(store, grant.first) == grant.authorization
        assert await grant.redeem(store) == grant.replay

    @pytest.mark.parametrize("step", ["present", "redeem"])
    async def test_a_replay_revokes_all_that_the_code_bought(self, store: Store, step: str) -> None:
        """RFC 6749 §4.1.2."""
        grant = await begun(store)
        assert not await store.is_revoked(grant.identity())
        if step == "present":
            assert await store.present_code(grant.code, grant.proof) == grant.replay
        else:
            assert await grant.redeem(store) == grant.replay
        assert await store.is_revoked(grant.identity())
        assert await grant.present(store, grant.first) is None
        assert await grant.rotate(store, grant.first, random_digest()) is None
        assert await store.find_refresh_token(grant.token()) is None

    async def test_a_code_can_be_redeemed_without_a_refresh_token(self, store: Store) -> None:
        grant = Grant()
        await grant.save(store)
        spent = await store.redeem_code(grant.code, grant.proof, None, lifetime=MINUTE)
        assert spent == grant.authorization
        assert await store.find_refresh_token(grant.token()) is None
        assert await grant.redeem(store) == grant.replay
        assert await store.is_revoked(grant.identity())

    @pytest.mark.parametrize(
        "kind", [kind for kind in RevocationKind if kind not in {"jti", "key"}]
    )
    async def test_a_code_that_a_revocation_concerns_is_worth_nothing(
        self, store: Store, kind: RevocationKind
    ) -> None:
        grant = Grant()
        await grant.save(store)
        await store.revoke(kind, grant.value(kind))
        assert await store.present_code(grant.code, grant.proof) is None
        assert await grant.redeem(store) is None
        assert await store.find_refresh_token(grant.token()) is None

    async def test_a_code_issued_after_the_subject_was_revoked_is_good(self, store: Store) -> None:
        grant = Grant()
        await store.revoke(RevocationKind.SUBJECT, grant.authorization.subject)
        await store.revoke(RevocationKind.CLIENT, grant.authorization.client_id)
        await asyncio.sleep(0.002)
        await grant.save(store)
        assert await grant.redeem(store) == grant.authorization
        assert await grant.rotate(store, grant.first, random_digest()) == grant.authorization
