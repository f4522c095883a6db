"""What every store must do, by the words of store/interface.py.

A test class of each store inherits from it and provides the fixture `store`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import timedelta

import pytest

from oauth_server.models import Authorization
from oauth_server.store.interface import (
    STATEMENT_LENGTH,
    Consent,
    Digest,
    Limit,
    Proof,
    RefreshToken,
    Replay,
    RevocationKind,
    Session,
    Store,
    TokenIdentity,
)

MINUTE = timedelta(minutes=1)
MOMENT = timedelta(milliseconds=60)
NONE = timedelta(0)


def random_digest() -> Digest:
    return Digest(secrets.token_urlsafe(32))


def random_name(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(6)}"


class Grant:
    """What one user lets one client do, nobody else's in this run."""

    def __init__(self, subject: str | None = None, client_id: str | None = None) -> None:
        self.code = random_digest()
        self.authorization = Authorization(
            family=secrets.token_urlsafe(16),
            client_id=client_id or random_name("client"),
            subject=subject or random_name("user"),
            scope="telemetry:read",
            audience=("https://api.example.com",),
            auth_time=int(time.time()),
        )
        self.proof = Proof(self.authorization.client_id, "https://x.example/cb", random_digest())
        self.handle, self.first = random_digest(), random_digest()
        self.kid = random_name("kid")

    @property
    def family(self) -> str:
        return self.authorization.family

    def token(self, secret: Digest | None = None) -> RefreshToken:
        return RefreshToken(self.family, self.handle, secret or self.first)

    async def save(
        self, store: Store, lifetime: timedelta = MINUTE, remembered: timedelta = MINUTE
    ) -> None:
        await store.save_code(
            self.code, self.proof, self.authorization, lifetime=lifetime, remembered=remembered
        )

    async def redeem(
        self, store: Store, proof: Proof | None = None, lifetime: timedelta = MINUTE
    ) -> Authorization | Replay | None:
        return await store.redeem_code(
            self.code, proof or self.proof, self.token(), lifetime=lifetime
        )

    async def rotate(
        self, store: Store, secret: Digest, successor: Digest, grace: timedelta = NONE
    ) -> Authorization | Replay | None:
        client_id = self.authorization.client_id
        return await store.rotate_refresh_token(
            self.token(secret), client_id, successor, grace=grace
        )

    async def present(
        self, store: Store, secret: Digest, grace: timedelta = NONE
    ) -> Authorization | Replay | None:
        client_id = self.authorization.client_id
        return await store.present_refresh_token(self.token(secret), client_id, grace=grace)

    def identity(self, jti: str = "jti", issued_at: int | None = None) -> TokenIdentity:
        return TokenIdentity(
            jti=jti,
            subject=self.authorization.subject,
            client_id=self.authorization.client_id,
            issued_at=int(time.time()) if issued_at is None else issued_at,
            family=self.family,
            kid=self.kid,
        )

    @property
    def replay(self) -> Replay:
        return Replay(self.family)


async def begun(store: Store, subject: str | None = None, client_id: str | None = None) -> Grant:
    """A grant whose code is spent and whose family lives."""
    grant = Grant(subject, client_id)
    await grant.save(store)
    assert await grant.redeem(store) == grant.authorization
    return grant


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
        await store.revoke(kind, _value(grant, kind))
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


def _value(grant: Grant, kind: RevocationKind) -> str:
    return {
        RevocationKind.JTI: "jti",
        RevocationKind.FAMILY: grant.family,
        RevocationKind.SUBJECT: grant.authorization.subject,
        RevocationKind.CLIENT: grant.authorization.client_id,
        RevocationKind.KEY: grant.kid,
    }[kind]


@pytest.mark.anyio
class FamiliesContract:
    async def test_a_refresh_token_is_rotated(self, store: Store) -> None:
        grant = await begun(store)
        secret = grant.first
        for _ in range(5):
            successor = random_digest()
            assert await grant.present(store, secret) == grant.authorization
            assert await grant.rotate(store, secret, successor) == grant.authorization
            secret = successor
        assert await grant.present(store, secret) == grant.authorization

    @pytest.mark.parametrize("step", ["present", "rotate"])
    async def test_a_token_used_again_revokes_its_family(self, store: Store, step: str) -> None:
        """RFC 9700 §4.14.2."""
        grant, second = await begun(store), random_digest()
        await grant.rotate(store, grant.first, second)
        if step == "present":
            assert await grant.present(store, grant.first) == grant.replay
        else:
            assert await grant.rotate(store, grant.first, random_digest()) == grant.replay
        assert await grant.rotate(store, second, random_digest()) is None
        assert await store.is_revoked(grant.identity())

    async def test_a_secret_that_never_was_counts_as_used(self, store: Store) -> None:
        """Only who held a token of the family knows its handle."""
        grant = await begun(store)
        assert await grant.present(store, random_digest()) == grant.replay
        assert await grant.present(store, grant.first) is None

    async def test_a_strangers_guess_has_no_consequence(self, store: Store) -> None:
        grant = await begun(store)
        guess = RefreshToken(grant.family, random_digest(), grant.first)
        client_id = grant.authorization.client_id
        assert await store.present_refresh_token(guess, client_id, grace=NONE) is None
        assert (
            await store.rotate_refresh_token(guess, client_id, random_digest(), grace=NONE) is None
        )
        assert await store.find_refresh_token(guess) is None
        assert await grant.present(store, grant.first) == grant.authorization

    @pytest.mark.parametrize("secret", ["current", "used"])
    async def test_another_clients_token_has_no_consequence(
        self, store: Store, secret: str
    ) -> None:
        grant, second = await begun(store), random_digest()
        await grant.rotate(store, grant.first, second)
        token = grant.token(second if secret == "current" else grant.first)
        assert await store.present_refresh_token(token, "mallory", grace=MINUTE) is None
        assert (
            await store.rotate_refresh_token(token, "mallory", random_digest(), grace=MINUTE)
            is None
        )
        assert await grant.present(store, second) == grant.authorization

    async def test_a_family_ends_and_no_rotation_prolongs_it(self, store: Store) -> None:
        grant, second = Grant(), random_digest()
        await grant.save(store)
        await grant.redeem(store, lifetime=timedelta(seconds=1))
        await asyncio.sleep(0.6)
        assert await grant.rotate(store, grant.first, second) == grant.authorization
        await asyncio.sleep(0.6)
        assert await grant.rotate(store, second, random_digest()) is None

    async def test_a_lost_response_is_forgiven_within_the_grace(self, store: Store) -> None:
        grant, lost, second = await begun(store), random_digest(), random_digest()
        await grant.rotate(store, grant.first, lost)
        assert await grant.present(store, grant.first, MINUTE) == grant.authorization
        assert await grant.rotate(store, grant.first, second, MINUTE) == grant.authorization
        assert await grant.rotate(store, second, random_digest(), MINUTE) == grant.authorization

    async def test_forgiveness_kills_the_branch_that_was_lost(self, store: Store) -> None:
        """Two who hold tokens of one family cannot both go on, grace or none."""
        grant, lost, second = await begun(store), random_digest(), random_digest()
        await grant.rotate(store, grant.first, lost)
        await grant.rotate(store, grant.first, second, MINUTE)
        assert await grant.rotate(store, lost, random_digest(), MINUTE) == grant.replay
        assert await grant.present(store, second, MINUTE) is None

    async def test_the_grace_ends_and_is_not_renewed_by_being_used(self, store: Store) -> None:
        grant, grace = await begun(store), timedelta(seconds=1)
        await grant.rotate(store, grant.first, random_digest())
        await asyncio.sleep(0.6)
        assert await grant.rotate(store, grant.first, random_digest(), grace) == grant.authorization
        await asyncio.sleep(0.6)
        assert await grant.rotate(store, grant.first, random_digest(), grace) == grant.replay

    async def test_only_the_last_token_is_forgiven(self, store: Store) -> None:
        grant, second, third = await begun(store), random_digest(), random_digest()
        await grant.rotate(store, grant.first, second)
        await grant.rotate(store, second, third)
        assert await grant.present(store, second, MINUTE) == grant.authorization
        assert await grant.present(store, grant.first, MINUTE) == grant.replay

    async def test_finding_a_token_tells_its_end_and_revokes_nothing(self, store: Store) -> None:
        grant, second = await begun(store), random_digest()
        found = await store.find_refresh_token(grant.token())
        assert found is not None
        authorization, ends = found
        assert authorization == grant.authorization
        assert ends - time.time() == pytest.approx(60, abs=2)
        await grant.rotate(store, grant.first, second)
        assert await store.find_refresh_token(grant.token()) is None
        assert await store.find_refresh_token(grant.token(second)) == (authorization, ends)

    @pytest.mark.parametrize(
        "kind", [kind for kind in RevocationKind if kind not in {"jti", "key"}]
    )
    async def test_a_revocation_ends_what_it_concerns(
        self, store: Store, kind: RevocationKind
    ) -> None:
        grant, other = await begun(store), await begun(store)
        await store.revoke(kind, _value(grant, kind))
        assert await store.find_refresh_token(grant.token()) is None
        assert await grant.present(store, grant.first) is None
        assert await grant.rotate(store, grant.first, random_digest()) is None
        assert await other.rotate(store, other.first, random_digest()) == other.authorization


@pytest.mark.anyio
class DenylistContract:
    @pytest.mark.parametrize("kind", list(RevocationKind))
    async def test_what_is_revoked_is_known_by_each_of_its_names(
        self, store: Store, kind: RevocationKind
    ) -> None:
        grant, other, jti = Grant(), Grant(), random_name("jti")
        token = grant.identity(jti)
        assert not await store.is_revoked(token)
        await store.revoke(kind, jti if kind is RevocationKind.JTI else _value(grant, kind))
        assert await store.is_revoked(token)
        assert not await store.is_revoked(other.identity(random_name("jti")))

    @pytest.mark.parametrize("kind", [RevocationKind.SUBJECT, RevocationKind.CLIENT])
    async def test_a_name_is_revoked_up_to_now(self, store: Store, kind: RevocationKind) -> None:
        grant, now = Grant(), int(time.time())
        await store.revoke(kind, _value(grant, kind))
        assert await store.is_revoked(grant.identity(issued_at=now - 100))
        assert not await store.is_revoked(grant.identity(issued_at=now + 2))

    async def test_the_second_of_a_revocation_counts_as_before_it(self, store: Store) -> None:
        grant = Grant()
        before = int(time.time())
        await store.revoke(RevocationKind.SUBJECT, grant.authorization.subject)
        assert await store.is_revoked(grant.identity(issued_at=before))

    async def test_a_name_is_revoked_anew_for_what_came_since(self, store: Store) -> None:
        subject = random_name("user")
        await store.revoke(RevocationKind.SUBJECT, subject)
        await asyncio.sleep(0.002)
        grant = await begun(store, subject)
        await asyncio.sleep(0.002)
        await store.revoke(RevocationKind.SUBJECT, subject)
        assert await store.find_refresh_token(grant.token()) is None

    async def test_a_client_is_not_a_subject_of_the_same_name(self, store: Store) -> None:
        grant = Grant()
        await store.revoke(RevocationKind.CLIENT, grant.authorization.subject)
        await store.revoke(RevocationKind.JTI, grant.family)
        assert not await store.is_revoked(grant.identity())

    async def test_a_revocation_is_forgotten_when_nothing_is_left_to_revoke(
        self, store: Store
    ) -> None:
        grant, jti = Grant(), random_name("jti")
        await store.revoke(RevocationKind.JTI, jti, until=int(time.time()) + 1)
        assert await store.is_revoked(grant.identity(jti))
        await asyncio.sleep(1.1)
        assert not await store.is_revoked(grant.identity(jti))

    async def test_what_has_expired_need_not_be_revoked(self, store: Store) -> None:
        grant, jti = Grant(), random_name("jti")
        await store.revoke(RevocationKind.JTI, jti, until=int(time.time()) - 5)
        assert not await store.is_revoked(grant.identity(jti))

    async def test_an_ended_family_is_dead_whatever_its_revocation_says(self, store: Store) -> None:
        grant = await begun(store)
        await store.revoke(RevocationKind.FAMILY, grant.family, until=int(time.time()) - 5)
        assert await store.find_refresh_token(grant.token()) is None

    async def test_a_short_revocation_of_a_name_does_not_end_a_long_one(self, store: Store) -> None:
        grant = await begun(store)
        await store.revoke(RevocationKind.SUBJECT, grant.authorization.subject)
        end = int(time.time()) + 1
        await store.revoke(RevocationKind.SUBJECT, grant.authorization.subject, until=end)
        await asyncio.sleep(1.1)
        assert await store.find_refresh_token(grant.token()) is None
        assert await store.is_revoked(grant.identity(issued_at=0))

    async def test_the_longer_of_two_revocations_counts(self, store: Store) -> None:
        grant, jti, now = Grant(), random_name("jti"), int(time.time())
        await store.revoke(RevocationKind.JTI, jti, until=now + 60)
        await store.revoke(RevocationKind.JTI, jti, until=now + 1)
        await asyncio.sleep(1.1)
        assert await store.is_revoked(grant.identity(jti))


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


@pytest.mark.anyio
class ThrottlesContract:
    async def test_a_limit_is_reached_and_passes(self, store: Store) -> None:
        limits = [Limit(random_name("user"), 2, timedelta(milliseconds=200))]
        assert [await store.attempt(limits) for _ in range(2)] == [None, None]
        wait = await store.attempt(limits)
        assert wait is not None
        assert NONE < wait <= timedelta(milliseconds=200)
        await asyncio.sleep(0.25)
        assert await store.attempt(limits) is None

    async def test_the_window_begins_with_the_first_attempt(self, store: Store) -> None:
        """Who keeps trying cannot lock somebody out for longer by it."""
        limits = [Limit(random_name("user"), 2, timedelta(milliseconds=300))]
        await store.attempt(limits)
        await asyncio.sleep(0.15)
        await store.attempt(limits)
        for _ in range(5):
            wait = await store.attempt(limits)
            assert wait is not None
            assert wait <= timedelta(milliseconds=160)

    async def test_of_two_limits_the_longer_wait_counts_and_neither_is_used(
        self, store: Store
    ) -> None:
        user = Limit(random_name("user"), 1, MINUTE)
        address = Limit(random_name("address"), 3, timedelta(hours=1))
        assert await store.attempt([user, address]) is None
        for _ in range(5):
            wait = await store.attempt([user, address])
            assert wait is not None
            assert wait <= MINUTE
        assert [await store.attempt([address]) for _ in range(2)] == [None, None]
        longer = await store.attempt([user, address])
        assert longer is not None
        assert longer > MINUTE

    async def test_a_success_takes_its_attempt_back(self, store: Store) -> None:
        limits = [Limit(random_name("user"), 2, MINUTE), Limit(random_name("address"), 2, MINUTE)]
        for _ in range(5):
            assert await store.attempt(limits) is None
            await store.forgive(limits)
        assert [await store.attempt(limits) for _ in range(2)] == [None, None]
        assert await store.attempt(limits) is not None

    async def test_a_success_takes_back_no_more_than_its_own_attempt(self, store: Store) -> None:
        limits = [Limit(random_name("user"), 3, MINUTE)]
        assert [await store.attempt(limits) for _ in range(3)] == [None] * 3
        await store.forgive(limits)
        assert await store.attempt(limits) is None
        assert await store.attempt(limits) is not None

    async def test_forgiving_what_was_not_tried_gives_no_credit(self, store: Store) -> None:
        limits = [Limit(random_name("user"), 1, MINUTE)]
        for _ in range(3):
            await store.forgive(limits)
        assert await store.attempt(limits) is None
        assert await store.attempt(limits) is not None

    async def test_a_browser_is_known_for_a_while(self, store: Store) -> None:
        device, short = random_digest(), random_digest()
        assert await store.find_device(device) is None
        await store.remember_device(device, "alice", lifetime=MINUTE)
        await store.remember_device(short, "alice", lifetime=MOMENT)
        assert await store.find_device(device) == "alice"
        await asyncio.sleep(0.1)
        assert await store.find_device(short) is None


@pytest.mark.anyio
class AssertionsContract:
    async def test_an_assertion_is_used_once_by_each_client(self, store: Store) -> None:
        """RFC 7523 §3, point 7."""
        client_id, jti = random_name("client"), random_name("jti")
        assert await store.use_assertion(client_id, jti, lifetime=MINUTE)
        assert not await store.use_assertion(client_id, jti, lifetime=MINUTE)
        assert await store.use_assertion(client_id + jti[:1], jti[1:], lifetime=MINUTE)
        assert await store.use_assertion(random_name("client"), jti, lifetime=MINUTE)

    async def test_an_assertion_is_forgotten_once_it_has_expired(self, store: Store) -> None:
        client_id, jti = random_name("client"), random_name("jti")
        assert await store.use_assertion(client_id, jti, lifetime=MOMENT)
        await asyncio.sleep(0.1)
        assert await store.use_assertion(client_id, jti, lifetime=MINUTE)

    async def test_a_jti_of_any_content_and_length_is_one(self, store: Store) -> None:
        client_id = random_name("client")
        for jti in ("", "\r\n", "\0", "\u2028", "ä" * 8000, "{}", "a b"):
            assert await store.use_assertion(client_id, jti, lifetime=MINUTE)
            assert not await store.use_assertion(client_id, jti, lifetime=MINUTE)


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


class RaceContract:
    """Of those who come at once one wins, however many there are."""

    async def test_one_of_many_redemptions_wins(self, store: Store) -> None:
        grant = Grant()
        await grant.save(store)
        answers = await asyncio.gather(*(grant.redeem(store) for _ in range(50)))
        assert answers.count(grant.authorization) == 1
        assert answers.count(grant.replay) == 49
        assert await store.find_refresh_token(grant.token()) is None

    async def test_one_of_many_rotations_wins_and_then_nobody(self, store: Store) -> None:
        grant, successors = await begun(store), [random_digest() for _ in range(50)]
        answers = await asyncio.gather(
            *(grant.rotate(store, grant.first, successor) for successor in successors)
        )
        assert answers.count(grant.authorization) == 1
        assert grant.replay in answers
        for secret in (grant.first, *successors):
            assert await store.find_refresh_token(grant.token(secret)) is None

    async def test_of_many_forgiven_rotations_one_branch_lives(self, store: Store) -> None:
        grant, successors = await begun(store), [random_digest() for _ in range(50)]
        answers = await asyncio.gather(
            *(grant.rotate(store, grant.first, successor, MINUTE) for successor in successors)
        )
        assert answers == [grant.authorization] * 50
        live = [await store.find_refresh_token(grant.token(secret)) for secret in successors]
        assert sum(found is not None for found in live) == 1

    async def test_one_of_many_uses_of_an_assertion_wins(self, store: Store) -> None:
        jti = random_name("jti")
        answers = await asyncio.gather(
            *(store.use_assertion("client", jti, lifetime=MINUTE) for _ in range(50))
        )
        assert answers.count(True) == 1

    async def test_no_more_attempts_go_on_than_the_limit(self, store: Store) -> None:
        limits = [Limit(random_name("user"), 5, MINUTE)]
        answers = await asyncio.gather(*(store.attempt(limits) for _ in range(50)))
        assert answers.count(None) == 5


class StoreContract(
    BoardContract,
    CodesContract,
    FamiliesContract,
    DenylistContract,
    SessionsContract,
    ConsentsContract,
    ThrottlesContract,
    AssertionsContract,
    RaceContract,
):
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.mark.anyio
    async def test_it_answers(self, store: Store) -> None:
        await store.ping()
