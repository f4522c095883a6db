"""A server whose key is on a token, over HTTP."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from oauth_server.keys import lifecycle, ring
from oauth_server.keys.layout import RING
from oauth_server.keys.pkcs11.source import TokenKeys
from oauth_server.keys.served import Served
from oauth_server.keys.timing import Timing
from oauth_server.keys.transitions import Policy
from oauth_server.models import Algorithm
from tests.server.process import Server, Site, serving, wait_for
from tests.server.test_token import basic
from tests.softhsm import PIN, SoftHsm

FORM = {"grant_type": "client_credentials"}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@contextmanager
def running(
    tmp_path: Path, site: Site, hsm: SoftHsm, keys: Path, algorithm: Algorithm
) -> Iterator[tuple[Server, Policy]]:
    policy = Policy(algorithm, Timing(), TokenKeys(hsm.access, keys))
    lifecycle.init(keys, policy, datetime.now(timezone.utc))
    settings = {
        "keys_directory": str(keys),
        "signing": {"algorithm": algorithm.value, "pkcs11": hsm.settings},
    }
    with serving(tmp_path, site, **settings) as server:
        yield server, policy


def token(http: httpx.Client) -> httpx.Response:
    return http.post("/token", data=FORM, headers=basic())


def verifies(http: httpx.Client, encoded: str, algorithm: Algorithm) -> bool:
    published = KeySet.import_key_set(http.get("/.well-known/jwks.json").json())
    claims = jwt.decode(encoded, published, algorithms=[algorithm.value]).claims
    return bool(claims["client_id"] == "gateway_01")


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_tokens_verify_with_the_published_keys(
    tmp_path: Path, site: Site, hsm: SoftHsm, keys: Path, algorithm: Algorithm
) -> None:
    with running(tmp_path, site, hsm, keys, algorithm) as (server, _), server.client() as http:
        assert http.get("/health/ready").status_code == 200
        assert verifies(http, token(http).json()["access_token"], algorithm)
        assert not list(keys.rglob("private.pem"))


def test_a_token_that_is_gone_is_503_soon_and_comes_back_without_a_restart(
    tmp_path: Path, site: Site, hsm: SoftHsm, keys: Path
) -> None:
    with (
        running(tmp_path, site, hsm, keys, Algorithm.RS256) as (server, _),
        server.client() as http,
    ):
        assert token(http).status_code == 200
        with hsm.away():
            began = time.monotonic()
            wait_for(lambda: token(http).status_code == 503)
            assert time.monotonic() - began < 8
            wait_for(lambda: http.get("/health/ready").status_code == 503)
            for _ in range(5):
                began = time.monotonic()
                refused = token(http)
                assert time.monotonic() - began < 1
                assert refused.status_code == 503
                assert refused.json()["error"] == "temporarily_unavailable"
                assert int(refused.headers["Retry-After"]) >= 1
            assert http.get("/.well-known/jwks.json").status_code == 200
            assert http.get("/health/live").status_code == 200
        wait_for(lambda: http.get("/health/ready").status_code == 200, 15)
        assert verifies(http, token(http).json()["access_token"], Algorithm.RS256)
        assert server.process.poll() is None
        assert "reason=token_" in "\n".join(server.log())
        assert PIN not in server.journal + "".join(server.log())


def test_a_server_starts_without_its_token_and_signs_when_it_is_there(
    tmp_path: Path, site: Site, hsm: SoftHsm, keys: Path
) -> None:
    policy = Policy(Algorithm.ES256, Timing(), TokenKeys(hsm.access, keys))
    lifecycle.init(keys, policy, datetime.now(timezone.utc))
    settings = {
        "keys_directory": str(keys),
        "signing": {"algorithm": "ES256", "pkcs11": hsm.settings},
    }
    away = hsm.away()
    away.__enter__()
    with serving(tmp_path, site, **settings) as server, server.client() as http:
        assert http.get("/health/ready").status_code == 503
        assert token(http).status_code == 503
        away.__exit__(None, None, None)
        wait_for(lambda: http.get("/health/ready").status_code == 200, 15)
        assert token(http).status_code == 200


def test_a_rotation_under_load_fails_no_request_and_old_tokens_verify(
    tmp_path: Path, site: Site, hsm: SoftHsm, keys: Path
) -> None:
    with (
        running(tmp_path, site, hsm, keys, Algorithm.ES256) as (server, policy),
        server.client() as http,
    ):
        old = token(http).json()["access_token"]
        answers: list[int] = []
        stop = threading.Event()

        def load() -> None:
            with server.gateway() as client:
                while not stop.is_set():
                    answers.append(token(client).status_code)

        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            now = datetime.now(timezone.utc)
            kids = [path.name for path in ring.entries(keys / RING)]
            long_ago = now - timedelta(days=2)
            done = lifecycle.rotate(
                keys, policy, now, Served({kid: {"self": long_ago} for kid in kids})
            )
            wait_for(lambda: jwt_kid(token(http).json()["access_token"]) == done.active)
            time.sleep(0.5)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert len(answers) > 20
        assert set(answers) == {200}
        assert done.previous == jwt_kid(old)
        assert verifies(http, old, Algorithm.ES256)
        assert verifies(http, token(http).json()["access_token"], Algorithm.ES256)


def test_the_pin_is_in_no_argument_and_no_environment(
    tmp_path: Path, site: Site, hsm: SoftHsm, keys: Path
) -> None:
    with running(tmp_path, site, hsm, keys, Algorithm.ES256) as (server, _):
        pids = [server.process.pid, *children(server.process.pid)]
        assert len(pids) > 1
        for pid in pids:
            for name in ("cmdline", "environ"):
                assert PIN.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()


def test_no_process_survives_the_server_however_it_ends(
    tmp_path: Path, site: Site, hsm: SoftHsm, keys: Path
) -> None:
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with running(tmp_path, site, hsm, keys, Algorithm.ES256) as (server, _):
            pids = children(server.process.pid)
            assert pids
            server.send(ending)
            server.process.wait(20)
        wait_for(lambda pids=pids: not any(map(alive, pids)))


def test_a_stop_lets_signatures_end(tmp_path: Path, site: Site, hsm: SoftHsm, keys: Path) -> None:
    """systemd sends SIGTERM to every process of the unit."""
    with (
        running(tmp_path, site, hsm, keys, Algorithm.RS256) as (server, _),
        server.client() as http,
    ):
        for pid in children(server.process.pid):
            os.kill(pid, signal.SIGTERM)
        assert token(http).status_code == 200


def jwt_kid(encoded: str) -> str:
    header = base64.urlsafe_b64decode(encoded.split(".")[0] + "==")
    found: str = json.loads(header)["kid"]
    return found


def children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended meanwhile
            found += map(int, path.read_text().split())
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
