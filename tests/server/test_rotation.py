"""Keys change while the server serves: no restart, no signal, and no client notices."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from oauth_server.keys import creation, ring
from oauth_server.keys.entry import State
from oauth_server.models import Algorithm
from oauth_server.protocol import jws
from tests.redis.programs import PROGRAMS
from tests.redis.server import PASSWORD
from tests.redis.server import Server as Redis
from tests.server.process import ENVIRONMENT, Server, Site, configure, serving, wait_for
from tests.server.test_metrics import samples, value
from tests.server.test_token import GRANT, basic

SETTINGS: dict[str, Any] = {"jwks_cache_max": 0, "signing": {"algorithm": "ES256"}}
"""No cache: a key that the server serves may sign."""


@pytest.fixture
def own_site(tmp_path: Path, site: Site) -> Site:
    creation.init(tmp_path / "keys", Algorithm.ES256)
    return replace(site, keys=tmp_path / "keys")


@pytest.fixture
def rotating(tmp_path: Path, own_site: Site) -> Iterator[Server]:
    with serving(tmp_path, own_site, **SETTINGS) as server:
        wait_until_served(server, own_site)
        yield server


def keys(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`oauth-server keys …` beside the running server."""
    config = str(server.directory / "server.yaml")
    return subprocess.run(
        [sys.executable, "-m", "oauth_server", "keys", *arguments, "--config", config],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def wait_until_served(server: Server, site: Site) -> None:
    """Since a second that is over: times are written rounded up."""
    file = server.directory / "served.json"
    kids = {path.name for path in ring.entries(site.keys / "ring")}

    def are_served() -> bool:
        since = json.loads(file.read_text())["served"] if file.exists() else {}
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return (
            set(since) == kids
            and max(at for hosts in since.values() for at in hosts.values()) <= now
        )

    wait_for(are_served)


def signs_with(server: Server) -> str:
    (kid,) = [
        dict(labels)["kid"]
        for name, labels in samples(server)
        if name == "oauth_server_signing_key_info"
    ]
    return kid


def kid_of(token: str) -> str:
    return jws.parse(token).kid


def issued(http: httpx.Client) -> str:
    return str(http.post("/token", data=GRANT, headers=basic()).json()["access_token"])


def is_active(http: httpx.Client, token: str) -> bool:
    answer = http.post("/introspect", data={"token": token}, headers=basic())
    return bool(answer.json()["active"])


def test_a_rotation_under_load_fails_no_request(rotating: Server, own_site: Site) -> None:
    tokens: list[str] = []
    wrong: list[object] = []
    stop = threading.Event()

    def load() -> None:
        with rotating.gateway() as http:
            while not stop.is_set():
                try:
                    token = issued(http)
                    if is_active(http, token):
                        tokens.append(token)
                    else:
                        wrong.append("a token that is not active")
                except Exception as error:  # noqa: BLE001 - whatever it is, it is too much
                    wrong.append(error)

    workers = [threading.Thread(target=load) for _ in range(4)]
    for worker in workers:
        worker.start()
    old = signs_with(rotating)
    time.sleep(0.5)
    done = keys(rotating, "rotate")
    assert done.returncode == 0, done.stderr
    begun = time.monotonic()
    new = ring.active_kid(own_site.keys / "ring")
    wait_for(lambda: signs_with(rotating) == new)
    assert time.monotonic() - begun < 6  # it looks every two seconds, and this machine is busy
    time.sleep(0.5)
    stop.set()
    for worker in workers:
        worker.join()
    assert wrong == []
    assert {kid_of(token) for token in tokens} == {old, new}
    with rotating.client() as http:
        published = KeySet.import_key_set(http.get("/.well-known/jwks.json").json())
        for token in tokens[:20] + tokens[-20:]:
            jwt.decode(token, published, algorithms=["ES256"])
        assert is_active(http, tokens[0])
        assert http.get("/health/ready").status_code == 200
    assert value(samples(rotating), "ring_takeovers_total", result="success") == 1
    assert rotating.journal == ""


def test_nobody_is_told_to_keep_the_key_set_for_longer_than_the_settings_say(
    rotating: Server,
) -> None:
    with rotating.client() as http:
        answer = http.get("/.well-known/jwks.json")
        assert answer.headers["cache-control"] == "public, max-age=0"
        answer = http.get("/.well-known/oauth-authorization-server")
        assert answer.headers["cache-control"] == "public, max-age=300"


def test_the_states_are_counted(rotating: Server) -> None:
    keys(rotating, "rotate")
    wait_for(lambda: value(samples(rotating), "keys", state="retiring") == 1)
    found = samples(rotating)
    assert value(found, "keys", state="active") == value(found, "keys", state="pending") == 1


def test_another_algorithm_signs_after_a_rotation(
    tmp_path: Path, rotating: Server, own_site: Site
) -> None:
    configure(tmp_path, own_site, **{**SETTINGS, "signing": {"algorithm": "EdDSA"}})
    with rotating.client() as http:
        first = issued(http)
        # Due at once: the first run makes a key, and another one lets it sign.
        assert keys(rotating, "rotate", "--if-due").returncode == 0
        wait_until_served(rotating, own_site)
        assert keys(rotating, "rotate", "--if-due").returncode == 0
        new = ring.active_kid(own_site.keys / "ring")
        wait_for(lambda: signs_with(rotating) == new)
        published = KeySet.import_key_set(http.get("/.well-known/jwks.json").json())
        assert jwt.decode(issued(http), published, algorithms=["EdDSA"]).header["alg"] == "EdDSA"
        assert jwt.decode(first, published, algorithms=["ES256"]).header["alg"] == "ES256"
        assert is_active(http, first)


def test_a_ring_that_is_broken_is_not_taken_over_and_said_once(
    rotating: Server, own_site: Site
) -> None:
    strange = own_site.keys / "ring" / "strange"
    strange.mkdir()
    wait_for(lambda: value(samples(rotating), "ring_takeovers_total", result="failure") >= 2)
    with rotating.client() as http:
        assert is_active(http, issued(http))
    assert rotating.journal.count(f"{strange}/public.pem: No such file or directory") == 1
    strange.rmdir()
    wait_for(lambda: "strange" not in str(ring.mark(own_site.keys / "ring")))
    assert keys(rotating, "rotate").returncode == 0
    wait_for(lambda: signs_with(rotating) == ring.active_kid(own_site.keys / "ring"))


def test_a_lost_ring_does_not_stop_a_server_that_signs(rotating: Server, own_site: Site) -> None:
    """Nor does one without an active key in its place, as a joining host's."""
    signs = signs_with(rotating)
    (own_site.keys / "ring").rename(own_site.keys / "lost")
    keys(rotating, "init", "--joining")
    wait_for(lambda: value(samples(rotating), "ring_takeovers_total", result="failure") >= 1)
    with rotating.client() as http:
        assert is_active(http, issued(http))
    assert signs_with(rotating) == signs
    assert "no key signs any more" in rotating.journal


def test_a_host_that_joins_publishes_and_does_not_sign(tmp_path: Path, site: Site) -> None:
    joining = replace(site, keys=tmp_path / "joining")
    config = configure(tmp_path, joining, **SETTINGS)
    made = subprocess.run(
        [
            *(sys.executable, "-m", "oauth_server", "keys", "init", "--joining"),
            *("--config", str(config)),
        ],
        env=ENVIRONMENT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    with serving(tmp_path, joining, **SETTINGS) as server, server.client() as http:
        (key,) = http.get("/.well-known/jwks.json").json()["keys"]
        assert key["kid"] == made.stdout.strip()
        refused = http.post("/token", data=GRANT, headers=basic())
        assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
        assert http.get("/health/ready").status_code == 503
        wait_until_served(server, joining)
        assert keys(server, "rotate").returncode == 0
        wait_for(lambda: http.get("/health/ready").status_code == 200)
        assert is_active(http, issued(http))
    assert "reason=no_active_key" in (tmp_path / "log").read_text()


@contextmanager
def with_redis(tmp_path: Path, site: Site) -> Iterator[tuple[Server, Redis]]:
    with tempfile.TemporaryDirectory(prefix="redis-") as directory:
        redis = Redis(Path(directory), PROGRAMS["redis"]()).start()
        (tmp_path / "password").write_text(PASSWORD)
        store = {
            "url": f"unix://{redis.socket}", "username": "oauth_server",
            "password_file": str(tmp_path / "password"),
        }  # fmt: skip
        try:
            with serving(tmp_path, site, **SETTINGS, store=store) as server:
                wait_until_served(server, site)
                yield server, redis
        finally:
            redis.kill()


def revocations(redis: Redis) -> list[tuple[str, str]]:
    with redis.examine() as client:
        return [
            (fields["kind"], fields["value"]) for _, fields in client.xrange("revocations", "-")
        ]


def test_an_emergency_ends_a_key_and_what_it_signed(tmp_path: Path, own_site: Site) -> None:
    with with_redis(tmp_path, own_site) as (server, redis), server.client() as http:
        stolen, token = signs_with(server), issued(http)
        assert is_active(http, token)
        done = keys(server, "emergency", "active")
        assert done.returncode == 0, done.stderr
        assert "Every cache knows it." in done.stdout
        for cache in ("PyJWT", "Envoy", ".NET", "jwks_cache_max"):
            assert cache in done.stdout
        wait_for(lambda: signs_with(server) != stolen)
        assert not is_active(http, token)
        assert stolen not in http.get("/.well-known/jwks.json").text
        assert is_active(http, issued(http))
        assert revocations(redis) == [("key", stolen)]
        assert "private" not in str(list(own_site.keys.glob(f"ring/*{stolen}*")))


def test_a_server_that_lost_its_ring_publishes_nothing_that_an_emergency_removed(
    tmp_path: Path, own_site: Site
) -> None:
    with with_redis(tmp_path, own_site) as (server, _), server.client() as http:

        def published() -> set[str]:
            document = http.get("/.well-known/jwks.json").json()
            return {key["kid"] for key in document["keys"]}

        stolen, before = signs_with(server), published()
        lost = own_site.keys / "ring"
        server.send(signal.SIGSTOP)  # it looks every two seconds
        try:
            assert keys(server, "emergency", "active").returncode == 0
            lost.rename(own_site.keys / "lost")
        finally:
            server.send(signal.SIGCONT)
        wait_for(lambda: published() == before - {stolen})
        refused = http.post("/token", data=GRANT, headers=basic())
        assert refused.status_code == 503
        assert "reason=ring_stale" in (tmp_path / "log").read_text()
        (own_site.keys / "lost").rename(lost)
        wait_for(lambda: published() == {path.name for path in ring.entries(lost)})
        assert is_active(http, issued(http))


def test_an_emergency_without_redis_removes_the_key_and_the_next_run_revokes(
    tmp_path: Path, own_site: Site
) -> None:
    with with_redis(tmp_path, own_site) as (server, redis):
        stolen = signs_with(server)
        redis.kill()
        done = keys(server, "emergency", "active")
        assert done.returncode == 1
        assert "what it signed is not revoked yet" in done.stderr
        assert stolen not in {path.name for path in ring.entries(own_site.keys / "ring")}
        again = keys(server, "rotate", "--if-due")
        assert again.returncode == 1
        assert "the store does not know yet" in keys(server, "list").stdout
        redis.start()
        assert keys(server, "rotate", "--if-due").returncode == 0
        assert revocations(redis) == [("key", stolen)]
        assert keys(server, "rotate", "--if-due").returncode == 0
        assert len(revocations(redis)) == 1


def verify(server: Server) -> subprocess.CompletedProcess[str]:
    return keys(
        server, "verify", "--metrics", "{}:{}".format(*server.metrics),
        "--server", "{}:{}".format(*server.tcp),
    )  # fmt: skip


def test_verify_proves_the_lineage_and_names_what_is_wrong(
    rotating: Server, own_site: Site
) -> None:
    done = verify(rotating)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("ok ") == 7
    (active,) = [e for e in ring.read(own_site.keys / "ring") if e.state is State.ACTIVE]
    (pending,) = [e for e in ring.read(own_site.keys / "ring") if e.state is State.PENDING]
    private = pending.path / "private.pem"
    private.write_bytes((active.path / "private.pem").read_bytes())
    done = verify(rotating)
    assert done.returncode == 1
    assert f"WRONG  {private}: is not the private half of {pending.path}/public.pem" in done.stdout
    assert active.public.fingerprint in done.stdout
    assert pending.public.fingerprint in done.stdout
    assert "PRIVATE" not in done.stdout


def test_verify_compares_what_openssl_would(rotating: Server, own_site: Site) -> None:
    """As docs/operations.md says to by hand."""
    (active,) = [e for e in ring.read(own_site.keys / "ring") if e.state is State.ACTIVE]
    for half, option in (("private.pem", []), ("public.pem", ["-pubin"])):
        der = subprocess.run(
            ["openssl", "pkey", *option, "-in", str(active.path / half), "-pubout", "-outform",
             "DER"],
            capture_output=True, check=True,
        ).stdout  # fmt: skip
        digest = subprocess.run(["sha256sum"], input=der, capture_output=True, check=True).stdout
        assert digest.decode().split()[0] == active.public.fingerprint
    document = json.loads(keys(rotating, "list", "--json").stdout)
    assert document["keys"][0]["fingerprint"] == active.public.fingerprint
