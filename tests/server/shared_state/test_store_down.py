from __future__ import annotations

import signal
import time

import httpx
import pytest

from tests.server.conftest import SECRET
from tests.server.process import wait_for
from tests.server.shared_state.pair import Pair
from tests.server.test_token import GRANT, basic

_BOUND = 3.0


def _unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert answer.json()["error"] == "temporarily_unavailable"
    assert int(answer.headers["retry-after"]) > 0


def test_without_its_store_the_server_says_so_and_loses_nothing(pair: Pair) -> None:
    """RFC 9110 §15.6.4."""
    code, spent = pair.code(), pair.code()
    token = pair.redeem(spent).json()["refresh_token"]
    pair.redis.kill()
    begin = time.monotonic()
    _unavailable(pair.redeem(code))
    _unavailable(pair.refresh(token))
    assert time.monotonic() - begin < 2 * _BOUND
    with pair.servers[0].gateway() as http:
        assert http.get("/health/ready").status_code == 503
        assert http.get("/health/live").status_code == 200
        machine = http.post(
            "/token", data={"grant_type": "client_credentials", "client_id": "poster",
                            "client_secret": SECRET},
        )  # fmt: skip
        assert machine.status_code == 200  # needs no state
        pair.redis.start()
        wait_for(lambda: http.get("/health/ready").status_code == 200)
    assert pair.redeem(code).status_code == 200
    assert pair.refresh(token).status_code == 200
    assert pair.redeem(spent).json()["error"] == "invalid_grant"


def test_a_store_that_hangs_is_waited_for_a_bounded_time(pair: Pair) -> None:
    """CWE-400."""
    code = pair.code()
    pair.redis.send(signal.SIGSTOP)
    begin = time.monotonic()
    _unavailable(pair.redeem(code))
    assert time.monotonic() - begin < _BOUND
    pair.redis.send(signal.SIGCONT)
    wait_for(lambda: pair.servers[0].gateway().get("/health/ready").status_code == 200)
    # The step that nobody waited for may have been taken: then this is a replay, and no success.
    assert pair.redeem(code).status_code in {200, 400}


def _shown(pair: Pair, path: str, token: str) -> httpx.Response:
    with pair.servers[0].gateway() as http:
        return http.post(path, data={"token": token}, headers=basic("web"))


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_a_revocation_that_the_store_did_not_take_is_no_success(pair: Pair, which: str) -> None:
    """RFC 7009 §2.2.1: after a 503 the client knows that its token still lives."""
    token = pair.redeem(pair.code()).json()[which]
    pair.redis.kill()
    _unavailable(_shown(pair, "/revoke", token))
    _unavailable(_shown(pair, "/introspect", token))
    pair.redis.start()
    assert _shown(pair, "/introspect", token).json()["active"] is True
    assert _shown(pair, "/revoke", token).status_code == 200
    assert _shown(pair, "/introspect", token).json()["active"] is False


def test_what_is_said_of_a_revocation_is_so_when_the_memory_is_full(pair: Pair) -> None:
    """Also of a machine's token, for which a full Redis has no room."""
    with pair.servers[0].gateway() as http:
        machines = http.post("/token", data=GRANT, headers=basic()).json()["access_token"]
        family = pair.redeem(pair.code()).json()["refresh_token"]
        with pair.redis.examine() as client:
            client.config_set("maxmemory", "1")
        for token, client_id in ((machines, "gateway_01"), (family, "web")):
            shown, headers = {"token": token}, basic(client_id)
            answer = http.post("/revoke", data=shown, headers=headers)
            if answer.status_code != 200:
                _unavailable(answer)
            found = http.post("/introspect", data=shown, headers=headers).json()
            assert found["active"] is (answer.status_code != 200)


def test_what_the_store_cannot_keep_is_not_answered_with_success(pair: Pair) -> None:
    code = pair.code()
    pair.redis.fill_disk()
    answers = [pair.redeem(code) for _ in range(3)]
    pair.redis.kill()
    pair.redis.start()
    for answer in answers:
        assert answer.status_code in {200, 503, 400}
    assert sum(answer.status_code == 200 for answer in [*answers, pair.redeem(code)]) <= 1
