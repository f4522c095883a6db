from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from unittest import mock

import pytest
from argon2 import low_level
from argon2.exceptions import VerificationError
from hypothesis import given
from hypothesis import strategies as st

from oauth_server import passwords
from oauth_server.errors import UnavailableError
from oauth_server.passwords import PasswordChecker

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def password_hash() -> str:
    return passwords.make_hash(PASSWORD)


@pytest.fixture
def checker() -> Iterator[PasswordChecker]:
    made = PasswordChecker()
    yield made
    made.close()


class Hashes:
    """Which hashes were computed, with which parameters."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parameters: list[str] = []
        genuine = low_level.verify_secret

        def counting(hash: bytes, secret: bytes, type: low_level.Type) -> bool:  # noqa: A002
            self.parameters.append(hash.decode().rpartition("$")[0].rpartition("$")[0])
            return genuine(hash, secret, type)

        monkeypatch.setattr(low_level, "verify_secret", counting)


def test_a_hash_has_the_parameters_of_rfc_9106s_second_choice(password_hash: str) -> None:
    """RFC 9106 §4."""
    assert password_hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.is_hash(password_hash)
    assert passwords.make_hash(PASSWORD) != password_hash


def test_only_the_password_verifies(password_hash: str) -> None:
    assert passwords.verifies(PASSWORD, password_hash)
    for wrong in ("", PASSWORD + "\n", PASSWORD.upper(), PASSWORD * 100, "\udcff"):
        assert not passwords.verifies(wrong, password_hash)


def test_it_is_the_same_password_however_the_keyboard_composes_it() -> None:
    """RFC 8265 §4.2."""
    password_hash = passwords.make_hash("cafe\u0301 au lait")
    assert passwords.verifies("caf\u00e9 au lait", password_hash)


def test_for_nobody_the_same_work_ends_in_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """An oracle for existing users: one hash with the same parameters either way."""
    computed = Hashes(monkeypatch)
    assert not passwords.verifies("password", passwords.make_hash(PASSWORD))
    assert not passwords.verifies("password", None)
    assert computed.parameters == ["$argon2id$v=19$m=65536,t=3,p=4"] * 2


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("a" * 12, None),
        ("é" * 512, None),
        ("a" * 11, "must have at least 12 characters"),
        ("e\u0301" * 11, "must have at least 12 characters"),
        ("é" * 512 + "a", "must have at most 1024 bytes"),
        ("a password\0 with", "must have no control characters"),
        ("a" * 11 + "\udcff", "must be UTF-8"),
    ],
)
def test_a_password_is_neither_short_nor_endless(password: str, rule: str | None) -> None:
    assert passwords.broken_rule(password) == rule


@given(password=st.text())
def test_any_text_is_a_password_or_breaks_a_rule(password: str) -> None:
    rule = passwords.broken_rule(password)
    assert rule is None or rule.startswith("must ")


@given(text=st.text())
def test_what_is_no_hash_is_told(text: str) -> None:
    assert not passwords.is_hash(text)


def test_without_the_memory_for_a_hash_nothing_is_said_of_the_password(
    monkeypatch: pytest.MonkeyPatch, password_hash: str
) -> None:
    fails = mock.Mock(side_effect=VerificationError("Memory allocation error"))
    monkeypatch.setattr(low_level, "verify_secret", fails)
    for known in (password_hash, None):
        with pytest.raises(UnavailableError) as refusal:
            passwords.verifies(PASSWORD, known)
        assert refusal.value.reason == "password_not_hashed"


def test_who_waits_is_answered(checker: PasswordChecker, password_hash: str) -> None:
    async def check() -> None:
        right, wrong = await asyncio.gather(
            checker.verifies(PASSWORD, password_hash, known=True),
            checker.verifies("wrong", password_hash, known=False),
        )
        assert (right, wrong) == (True, False)

    asyncio.run(check())


def test_the_surplus_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(passwords, "verifies", lambda *_: gate.wait(20))
    checker = PasswordChecker(threads=1, queue=2)

    async def check() -> None:
        waiting = [
            asyncio.ensure_future(checker.verifies("a", None, known=False)) for _ in range(3)
        ]
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError) as refused:
            await checker.verifies("a", None, known=False)
        assert refused.value.reason == "password_queue_full"
        gate.set()
        await asyncio.gather(*waiting)
        await checker.verifies("a", None, known=False)

    asyncio.run(check())
    checker.close()


def test_a_flood_of_strangers_leaves_room_for_known_browsers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(passwords, "verifies", lambda *_: gate.wait(20))
    checker = PasswordChecker(threads=1, queue=1, reserved=2)

    async def check() -> None:
        waiting = [
            asyncio.ensure_future(checker.verifies("a", None, known=known))
            for known in (False, False, True, True)
        ]
        await asyncio.sleep(0)
        for known in (False, True):
            with pytest.raises(UnavailableError):
                await checker.verifies("a", None, known=known)
        gate.set()
        assert await asyncio.gather(*waiting) == [True] * 4

    asyncio.run(check())
    checker.close()


def test_who_leaves_keeps_the_place_until_the_thread_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise requests that are cancelled at once would fill the queue past its bound."""
    gate = threading.Event()
    monkeypatch.setattr(passwords, "verifies", lambda *_: gate.wait(20))
    checker = PasswordChecker(threads=1, queue=0)

    async def check() -> None:
        gone = asyncio.ensure_future(checker.verifies("a", None, known=False))
        await asyncio.sleep(0.05)
        gone.cancel()
        with pytest.raises(UnavailableError):
            await checker.verifies("a", None, known=False)
        gate.set()

    asyncio.run(check())
    checker.close()
