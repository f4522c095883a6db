"""Logins that are many, on several servers, or without a store."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.redis.programs import distribution
from tests.redis.server import PASSWORD as REDIS_PASSWORD
from tests.redis.server import Server as Redis
from tests.server.conftest import PASSWORD
from tests.server.person import VERIFIER, Page, Person, answer, request
from tests.server.process import ENVIRONMENT, Server, Site, serving, wait_for
from tests.server.test_code_flow import code_for, redeemed


@pytest.fixture
def redis() -> Iterator[Redis]:
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        running = Redis(Path(directory), distribution()).start()
        yield running
        running.kill()


@pytest.fixture
def on_redis(tmp_path: Path, redis: Redis) -> dict[str, dict[str, str]]:
    password = tmp_path / "redis.password"
    password.write_text(REDIS_PASSWORD)
    return {
        "store": {
            "url": f"unix://{redis.socket}",
            "username": "oauth_server",
            "password_file": str(password),
        }
    }


@pytest.fixture
def two(
    tmp_path: Path, site: Site, on_redis: dict[str, dict[str, str]]
) -> Iterator[tuple[Server, Server]]:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with (
        serving(tmp_path / "a", site, **on_redis) as one,
        serving(tmp_path / "b", site, **on_redis) as other,
    ):
        yield one, other


def moved(person: Person, server: Server) -> Person:
    """The same browser, sent to another server by a load balancer."""
    elsewhere = Person(server)
    elsewhere.http.cookies = person.http.cookies.jar  # the same jar, not a copy
    return elsewhere


def test_it_does_not_matter_which_server_answers(two: tuple[Server, Server]) -> None:
    one, other = two
    with Person(one) as person:
        form = person.get(request()).form("login")
        with moved(person, other) as elsewhere:
            submitted = elsewhere.submit(
                form, "login", username="alice", password="correct horse battery"
            )
            assert submitted.status_code == 303
            consent = elsewhere.get(request()).form("approve")
        assert "code" in answer(person.submit(consent, "approve"))
        with moved(person, other) as elsewhere:
            assert "code" in answer(elsewhere.http.get(request()))
            withdraw = elsewhere.get("/account").form("withdraw")
        assert person.submit(withdraw, "withdraw").status_code == 303
        logout = person.get("/logout").forms[0]
        assert person.submit(logout).status_code == 303
    with moved(person, other) as elsewhere:
        assert elsewhere.get("/account").title.startswith("Log in")


def test_the_store_sees_no_code_token_cookie_or_password(
    two: tuple[Server, Server], redis: Redis
) -> None:
    """CWE-312: who reads Redis, or a backup of it, can be nobody by that."""
    with Person(two[0]) as person, two[1].client() as http:
        code = code_for(person, "carol")
        issued = redeemed(http, code).json()
        refresh = issued["refresh_token"]
        cookies = [person.http.cookies[f"__Host-{name}"] for name in ("session", "device")]
    written = b"".join(file.read_bytes() for file in redis.directory.rglob("*.aof"))
    assert issued["scope"].encode() in written
    # The family's name, which a refresh token begins with, is no secret.
    for secret in (
        code, refresh[22:65], refresh[65:], issued["access_token"], *cookies, PASSWORD, VERIFIER,
    ):  # fmt: skip
        assert secret.encode() not in written


def test_what_a_login_gives_lasts_as_long_as_the_settings_say(
    tmp_path: Path, site: Site, redis: Redis, on_redis: dict[str, dict[str, str]]
) -> None:
    lifetimes = {"session_lifetime": 700, "refresh_token_lifetime": 900, "code_timeout": 500}
    with (
        serving(tmp_path, site, **on_redis, **lifetimes) as server,
        Person(server) as person,
        server.client() as http,
        redis.examine() as client,
    ):
        code = code_for(person, "carol")

        def left(kind: str) -> int:
            (key,) = client.scan_iter(f"oauth:{kind}:*")
            return int(client.ttl(key))

        assert 690 < left("session") <= 700
        assert 490 < left("code") <= 500
        assert redeemed(http, code).status_code == 200
        assert 890 < left("family") <= 900


def test_all_servers_count_together(two: tuple[Server, Server]) -> None:
    statuses = []
    for server in two * 6:
        with Person(server) as person:
            statuses.append(person.log_in("bob", "a wrong password").status_code)
    assert statuses == [401] * 10 + [429] * 2


def test_without_a_store_a_page_says_to_come_back(
    tmp_path: Path, site: Site, redis: Redis, on_redis: dict[str, dict[str, str]]
) -> None:
    with serving(tmp_path, site, **on_redis) as server, Person(server) as person:
        person.logged_in("alice")
        redis.kill()
        start = time.monotonic()
        page = person.get(request())
        assert time.monotonic() - start < 3
        assert page.response.status_code == 503
        assert page.response.headers["retry-after"] == "1"
        assert page.title.startswith("Just a moment")
        assert "Traceback" not in server.journal
        with Person(server) as somebody:
            response = somebody.log_in("alice")
            assert response.status_code == 503
            assert "__Host-session=" not in str(response.headers)


def test_a_flood_of_logins_holds_up_nobody_else(tmp_path: Path, site: Site) -> None:
    """The surplus is told at once, and the event loop goes on."""
    with serving(tmp_path, site) as server, server.client() as http:

        def try_to(number: int) -> int:
            with Person(server) as person:
                response = person.log_in(f"user{number}", "a wrong password")
                if response.status_code == 503:
                    assert response.headers["retry-after"] == "1"
                    assert Page(response).title.startswith("Just a moment")
                return response.status_code

        with ThreadPoolExecutor(30) as pool:
            flood = [pool.submit(try_to, number) for number in range(60)]
            slowest = 0.0
            while not all(attempt.done() for attempt in flood):
                start = time.monotonic()
                assert http.get("/health/live").status_code == 200
                slowest = max(slowest, time.monotonic() - start)
                time.sleep(0.02)
        statuses = {attempt.result() for attempt in flood}
        assert statuses == {401, 503}
        assert slowest < 1


def test_a_flood_of_logins_keeps_no_known_browser_out(tmp_path: Path, site: Site) -> None:
    """Strangers fill the queue for hashes, and some places of it are not theirs."""
    with serving(tmp_path, site) as server, Person(server) as known:
        known.logged_in("alice")
        known.http.cookies.delete("__Host-session")
        form = known.get("/account").form("login")
        over = threading.Event()

        def flood(number: int) -> None:
            with Person(server) as stranger:
                asked = stranger.get("/account").form("login")
                while not over.is_set():
                    stranger.submit(asked, "login", username=f"user{number}", password="guessed")

        with ThreadPoolExecutor(12) as pool:
            floods = [pool.submit(flood, number) for number in range(12)]
            wait_for(lambda: any("reason=password_queue_full" in line for line in server.log()))
            response = known.submit(
                form, "login", username="alice", password="correct horse battery"
            )
            over.set()
        assert [stranger.exception() for stranger in floods] == [None] * 12
        assert response.status_code == 303


def test_a_user_who_is_disabled_is_out_after_a_reload(tmp_path: Path, site: Site) -> None:
    """And so is who has another password; nobody else notices."""
    own = tmp_path / "users.json"
    shutil.copy(site.users, own)
    with serving(tmp_path, site, users_file=str(own)) as server:
        people = {name: Person(server).logged_in(name) for name in ("alice", "bob", "carol")}

        def titles() -> list[str]:
            return [person.get("/account").title.split(" – ")[0] for person in people.values()]

        assert titles() == ["Your apps"] * 3
        run_users("disable", "alice", own)
        run_users("passwd", "bob", own)
        assert titles() == ["Your apps"] * 3
        server.send(signal.SIGHUP)
        wait_for(lambda: titles() == ["Log in", "Log in", "Your apps"])
        with Person(server) as somebody:
            assert somebody.log_in("alice").status_code == 401
            assert somebody.log_in("bob").status_code == 401
            assert somebody.log_in("bob", "another password").status_code == 303
        for person in people.values():
            person.http.close()


def run_users(command: str, username: str, file: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "oauth_server", "users", command, username, "--file", str(file)],
        env=ENVIRONMENT, input=b"another password\n", stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
