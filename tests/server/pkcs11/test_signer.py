"""The signer on a real token, whose processes are killed, stopped and starved."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from oauth_server.errors import UnavailableError
from oauth_server.keys.jose import PublicKey
from oauth_server.keys.pkcs11 import connection, process
from oauth_server.keys.pkcs11.key import TokenKey
from oauth_server.keys.pkcs11.process import Access
from oauth_server.keys.pkcs11.signer import TokenSigner
from oauth_server.models import Algorithm
from oauth_server.protocol import base64url
from tests.softhsm import SoftHsm


@pytest.fixture
def key(hsm: SoftHsm) -> TokenKey:
    return hsm.make_key(Algorithm.ES256)


@asynccontextmanager
async def signing(key: TokenKey, processes: int = 2) -> AsyncIterator[TokenSigner]:
    signer = TokenSigner(key, processes=processes)
    try:
        yield signer
    finally:
        signer.close()


async def full(signer: TokenSigner, processes: int = 2) -> set[int]:
    """The pids of the processes, when there are so many."""
    end = time.monotonic() + 20
    while signer.ready < processes:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    return children()


def children() -> set[int]:
    """Processes of this one that sign; they and threads may end while they are looked at."""
    found = set()
    for thread in Path(f"/proc/{os.getpid()}/task").iterdir():
        for child in _read(thread / "children").split():
            if b"pkcs11.worker" in _read(Path(f"/proc/{int(child)}/cmdline")):
                found.add(int(child))
    return found


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def verifies(public: PublicKey, token: str) -> bool:
    content, _, signature = token.rpartition(".")
    return public.verifies(base64url.decode(signature), content.encode())


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_what_the_token_signs_verifies(hsm: SoftHsm, algorithm: Algorithm) -> None:
    async def run() -> None:
        key = hsm.make_key(algorithm)
        async with signing(key) as signer:
            await signer.open()
            assert verifies(key.public, await signer.sign("at+jwt", {"sub": "x"}))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("algorithm", "without"),
    [
        (Algorithm.RS256, "-CKM_SHA256_RSA_PKCS"),
        (Algorithm.PS256, "-CKM_SHA256_RSA_PKCS_PSS"),
    ],
)
def test_a_token_that_does_not_hash_signs_what_was_hashed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: Algorithm, without: str
) -> None:
    hsm = SoftHsm.make(tmp_path / "plain", mechanisms=without)
    monkeypatch.setenv("SOFTHSM2_CONF", str(hsm.configuration))
    test_what_the_token_signs_verifies(hsm, algorithm)


def test_a_thousand_at_once_are_each_their_own(key: TokenKey) -> None:
    """Signatures are taken in order: one out of place would be another's token."""

    async def run() -> None:
        async with signing(key) as signer:
            await full(signer)
            seen = 0
            while seen < 1000:
                tokens = await asyncio.gather(
                    *(signer.sign("t", {"n": seen + n}) for n in range(8))
                )
                assert all(verifies(key.public, token) for token in tokens)
                assert len(set(tokens)) == len(tokens)
                seen += len(tokens)
            assert signer.pending == 0

    asyncio.run(run())


def test_a_process_that_dies_costs_nobody_a_token(key: TokenKey) -> None:
    """Its work is done by the other one, and another takes its place."""

    async def run() -> None:
        async with signing(key) as signer:
            first, second = await full(signer)
            os.kill(first, signal.SIGSTOP)
            asked = [asyncio.create_task(signer.sign("t", {"n": n})) for n in range(4)]
            await asyncio.sleep(0.2)
            assert not all(task.done() for task in asked)
            os.kill(first, signal.SIGKILL)
            assert all(verifies(key.public, token) for token in await asyncio.gather(*asked))
            assert second in await full(signer)
            assert signer.pending == 0

    asyncio.run(run())


def test_a_process_that_hangs_is_ended_and_whoever_waited_is_told(
    key: TokenKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SILENCE", connection.SILENCE / 10)

    async def run() -> None:
        async with signing(key, 1) as signer:
            (only,) = await full(signer, 1)
            os.kill(only, signal.SIGSTOP)
            began = time.monotonic()
            with pytest.raises(UnavailableError) as refused:
                await signer.sign("t", {})
            assert refused.value.reason == "token_gone"
            assert time.monotonic() - began < 3
            assert only not in await full(signer, 1)
            assert verifies(key.public, await signer.sign("t", {}))

    asyncio.run(run())


def test_a_token_that_is_gone_is_told_at_once_and_comes_back_by_itself(
    hsm: SoftHsm, key: TokenKey, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with signing(key) as signer:
            await full(signer)
            with hsm.away():
                with pytest.raises(UnavailableError):
                    await asyncio.gather(*(signer.sign("t", {}) for _ in range(4)))
                while signer.ready:
                    await asyncio.sleep(0.01)
                    with pytest.raises(UnavailableError):
                        await signer.sign("t", {})
                began = time.monotonic()
                with pytest.raises(UnavailableError):
                    signer.check_room()
                assert time.monotonic() - began < 0.1
                await asyncio.sleep(2)
                assert not signer.ready
                assert signer.pending == 0
            await full(signer)
            assert verifies(key.public, await signer.sign("t", {}))

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    said = [record.getMessage() for record in caplog.records]
    assert any("asked again every few seconds" in line for line in said)
    assert "signs again" in said[-1]
    assert len(said) < 6


def test_it_starts_without_a_token_and_finds_it_later(hsm: SoftHsm, key: TokenKey) -> None:
    async def run() -> None:
        with hsm.away():
            signer = TokenSigner(key)
            with pytest.raises(UnavailableError) as refused:
                await signer.open()
            assert refused.value.reason == "token_gone"
        await full(signer)
        assert verifies(key.public, await signer.sign("t", {}))
        signer.close()

    asyncio.run(run())


def test_a_wrong_pin_is_tried_once_and_then_waits_for_another(
    hsm: SoftHsm, key: TokenKey, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token locks itself after a few; so the processes don't each try it, either."""
    monkeypatch.setattr("oauth_server.keys.pkcs11.signer._LONGEST_PAUSE", 0.2)
    right = hsm.pin_file.read_text()
    tried: list[int] = []
    start = process.start

    def counted(access: Access) -> object:
        tried.append(1)
        return start(access)

    monkeypatch.setattr(process, "start", counted)

    async def run() -> None:
        hsm.pin_file.write_text("a wrong one\n")
        async with signing(key) as signer:
            with pytest.raises(UnavailableError) as refused:
                await signer.open()
            assert refused.value.reason == "token_pin_refused"
            await asyncio.sleep(2)
            assert len(tried) == 1
            hsm.pin_file.write_text(right)
            await full(signer)
            assert verifies(key.public, await signer.sign("t", {}))

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert "when its PIN file has changed" in caplog.text
    assert "a wrong one" not in caplog.text


def test_a_key_that_is_not_on_the_token_is_named_so(hsm: SoftHsm, key: TokenKey) -> None:
    other = TokenKey(key.public, key.uri._replace(key_id=b"nowhere"), hsm.access)

    async def run() -> None:
        async with signing(other) as signer:
            with pytest.raises(UnavailableError) as refused:
                await signer.open()
            assert refused.value.reason == "token_key_missing"

    asyncio.run(run())


def test_a_token_with_another_key_of_that_id_signs_nothing(hsm: SoftHsm, key: TokenKey) -> None:
    """The lineage is proved by a signature, whatever the token says of its keys."""
    mixed_up = TokenKey(hsm.make_key(Algorithm.ES256).public, key.uri, hsm.access)

    async def run() -> None:
        async with signing(mixed_up) as signer:
            with pytest.raises(UnavailableError) as refused:
                await signer.open()
            assert refused.value.reason == "token_key_missing"

    asyncio.run(run())


def test_a_module_that_is_missing_is_a_token_that_is_gone(hsm: SoftHsm, key: TokenKey) -> None:
    key = TokenKey(key.public, key.uri, replace(hsm.access, module="/nowhere.so"))

    async def run() -> None:
        async with signing(key) as signer:
            with pytest.raises(UnavailableError) as refused:
                await signer.open()
            assert refused.value.reason == "token_gone"

    asyncio.run(run())


def test_more_than_can_be_signed_soon_is_refused(hsm: SoftHsm) -> None:
    key = hsm.make_key(Algorithm.RS256)

    async def run() -> None:
        async with signing(key) as signer:
            await full(signer)
            asked = await asyncio.gather(
                *(signer.sign("t", {}) for _ in range(200)), return_exceptions=True
            )
            refused = [one for one in asked if isinstance(one, UnavailableError)]
            assert refused
            assert {one.reason for one in refused} == {"sign_queue_full"}
            assert signer.pending == 0

    asyncio.run(run())


def test_who_leaves_gives_the_place_back(key: TokenKey) -> None:
    async def run() -> None:
        async with signing(key, 1) as signer:
            (only,) = await full(signer, 1)
            for _ in range(5):
                os.kill(only, signal.SIGSTOP)
                asked = [asyncio.create_task(signer.sign("t", {})) for _ in range(4)]
                await asyncio.sleep(0.05)
                for task in asked:
                    task.cancel()
                os.kill(only, signal.SIGCONT)
                await asyncio.gather(*asked, return_exceptions=True)
                end = time.monotonic() + 5
                while signer.pending:
                    assert time.monotonic() < end
                    await asyncio.sleep(0.01)
            assert verifies(key.public, await signer.sign("t", {}))

    asyncio.run(run())


def test_no_process_is_left_behind(key: TokenKey) -> None:
    async def run() -> None:
        async with signing(key) as signer:
            await full(signer)

    asyncio.run(run())
    end = time.monotonic() + 10
    while children():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _nobody_else_signs() -> Iterator[None]:
    """`children` counts those of one test."""
    yield
    end = time.monotonic() + 10
    while children() and time.monotonic() < end:
        time.sleep(0.01)
