"""Servers of one issuer publish and accept each other's keys, and nobody else's."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.redis.server import Server as Redis
from tests.server.fleet.fleet import Host, published
from tests.server.process import Server, Site, wait_for
from tests.server.test_token import basic

_HEARD = 20
"""Seconds, twice as long as it takes to say something and to be heard."""


def is_active(server: Server, access_token: str) -> bool:
    """By introspection."""
    with server.gateway() as http:
        answer = http.post("/introspect", data={"token": access_token}, headers=basic())
    assert answer.status_code == 200
    return bool(answer.json()["active"])


def fetched(server: Server) -> str:
    with server.gateway() as http:
        answer = token(http)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


def token(http: httpx.Client) -> httpx.Response:
    return http.post("/token", data={"grant_type": "client_credentials"}, headers=basic())


def acknowledged(host: Host, other: str) -> bool:
    """Whether the other one publishes the host's pending key, as the host has heard."""
    return other not in host.run("rotate", "--dry-run").stderr


def insist(redis: Redis, text: str, claim: Callable[[], bool]) -> None:
    """Say this in the name of `one` until it was heard: the host takes it back when it looks."""
    with redis.examine() as attacker:

        def said() -> bool:
            attacker.hset("oauth:fleet", "one", text)
            return claim()

        wait_for(said, _HEARD)


def status(server: Server) -> httpx.Response:
    with server.gateway() as http:
        return token(http)


def test_servers_verify_each_others_tokens_through_a_rotation(
    tmp_path: Path, site: Site, redis: Redis
) -> None:
    hosts = [Host.make(name, tmp_path, site, redis) for name in ("one", "two", "three")]
    for host in hosts:
        host.pin(hosts)
    one, two, three = hosts
    with one.serving() as first, two.serving() as second:
        everything = one.kids | two.kids
        wait_for(lambda: published(first) == published(second) == everything, _HEARD)
        before = fetched(first)
        assert is_active(second, before)
        # The third host has not come up yet: it is named, and nothing happens.
        old = one.active
        wait_for(lambda: one.run("rotate").stderr.endswith(": not served by three yet\n"), _HEARD)
        assert one.run("rotate").returncode == 1
        assert one.active == old
        with three.serving() as third:
            # It heard the others before it answered anybody.
            assert published(third) == everything | three.kids
            rotated = one.run("rotate", "--wait", str(_HEARD))
            assert rotated.returncode == 0, rotated.stderr
            assert one.active != old
            wait_for(lambda: signs_with(first) == one.active, _HEARD)
            after = fetched(first)
            for server in (first, second, third):
                assert is_active(server, before)
                assert is_active(server, after)
                wait_for(lambda s=server: published(s) >= one.kids, _HEARD)


def signs_with(server: Server) -> str:
    with server.monitoring() as http:
        (line,) = (
            line
            for line in http.get("/metrics").text.splitlines()
            if line.startswith("oauth_server_signing_key_info{")
        )
    return line.partition('kid="')[2].partition('"')[0]


def test_a_rotation_goes_on_without_a_host_that_is_named(
    tmp_path: Path, site: Site, redis: Redis
) -> None:
    one, two = (Host.make(name, tmp_path, site, redis) for name in ("one", "two"))
    one.pin([one, two])
    with one.serving():
        wait_for(lambda: one.run("rotate", "--without", "two").returncode == 0, _HEARD)


def test_a_host_that_joins_signs_when_the_others_have_published_its_key(
    tmp_path: Path, site: Site, redis: Redis
) -> None:
    one = Host.make("one", tmp_path, site, redis)
    two = Host.make("two", tmp_path, site, redis, joining=True)
    for host in (one, two):
        host.pin([one, two])
    with two.serving() as second:
        assert status(second).status_code == 503
        with second.gateway() as http:
            assert http.get("/health/ready").status_code == 503
            assert http.get("/health/live").status_code == 200
        assert "not served by one yet" in two.run("rotate").stderr
        with one.serving() as first:
            assert two.run("rotate", "--wait", str(_HEARD)).returncode == 0
            wait_for(lambda: status(second).status_code == 200, _HEARD)
            assert is_active(first, fetched(second))


def test_a_key_removed_in_an_emergency_is_gone_everywhere_and_its_statement_is_not_replayed(
    tmp_path: Path, site: Site, redis: Redis
) -> None:
    one, two = (Host.make(name, tmp_path, site, redis) for name in ("one", "two"))
    for host in (one, two):
        host.pin([one, two])
    with one.serving() as first, two.serving() as second:
        wait_for(lambda: published(second) == one.kids | two.kids, _HEARD)
        stolen, bought = one.active, fetched(first)
        with redis.examine() as attacker:
            said = attacker.hget("oauth:fleet", "one")
        assert one.run("emergency", "active").returncode == 0
        wait_for(lambda: stolen not in published(first) | published(second), _HEARD)
        assert not is_active(second, bought)
        insist(redis, said, lambda: "one is not believed: sequence" in second.journal)
        assert stolen not in published(second)
        with second.monitoring() as http:
            line = 'oauth_server_fleet_statements_refused_total{reason="sequence"}'
            assert line in http.get("/metrics").text
    # Not by a restart either.
    with two.serving() as second:
        assert stolen not in published(second)


def test_junk_in_the_store_adds_no_key_and_ends_nobody(
    tmp_path: Path, site: Site, redis: Redis
) -> None:
    """Whoever may write to Redis."""
    one, two = (Host.make(name, tmp_path, site, redis) for name in ("one", "two"))
    stranger = Host.make("stranger", tmp_path, site, redis)
    for host in (one, two, stranger):
        host.pin([one, two])
    with one.serving(), two.serving() as second, stranger.serving():
        # All is said: from now on nobody but the attacker writes.
        for host, other in ((one, "two"), (two, "one")):
            wait_for(lambda h=host, o=other: acknowledged(h, o), _HEARD)
        with redis.examine() as attacker:
            theirs = attacker.hget("oauth:fleet", "stranger")
            assert theirs is not None
            for junk in (theirs, b"\xff\xfe", b"x" * (1 << 20), b"a.b.c", b"", b"[]"):
                attacker.hset("oauth:fleet", "one", junk)
                time.sleep(0.1)
        insist(redis, theirs, lambda: "one is not believed: identity" in second.journal)
        assert published(second) == one.kids | two.kids
        assert second.process.poll() is None


def test_a_fleet_goes_on_while_the_store_is_away(tmp_path: Path, site: Site, redis: Redis) -> None:
    one, two = (Host.make(name, tmp_path, site, redis) for name in ("one", "two"))
    for host in (one, two):
        host.pin([one, two])
    with one.serving() as first:
        with two.serving() as second:
            wait_for(lambda: published(second) == one.kids | two.kids, _HEARD)
            redis.kill()
            wait_for(lambda: "the fleet is not heard" in second.journal, _HEARD)
            assert published(second) == one.kids | two.kids
        # What was heard is remembered over a restart.
        with two.serving() as second:
            assert published(second) == one.kids | two.kids
            redis.start()
            assert one.run("rotate", "--wait", str(_HEARD)).returncode == 0
            wait_for(lambda: published(second) == one.kids | two.kids, _HEARD)
            assert is_active(second, fetched(first))


def test_a_host_that_leaves_stays_published_and_is_heard_no_more(
    tmp_path: Path, site: Site, redis: Redis
) -> None:
    one, two = (Host.make(name, tmp_path, site, redis) for name in ("one", "two"))
    for host in (one, two):
        host.pin([one, two])
    with one.serving() as first, two.serving() as second:
        wait_for(lambda: published(second) == one.kids | two.kids, _HEARD)
        left, bought = one.kids, fetched(first)
        two.pin([two])
        second.send(signal.SIGHUP)
        wait_for(lambda: two.run("rotate").returncode == 0, _HEARD)  # nobody else is asked
        assert one.run("rotate", "--without", "two").returncode == 0
        time.sleep(6)
        assert published(second) >= left
        assert not published(second) >= one.kids
        assert is_active(second, bought)


def test_fleet_json_is_checked_and_a_bad_one_changes_nothing(
    tmp_path: Path, site: Site, redis: Redis
) -> None:
    one = Host.make("one", tmp_path, site, redis)
    one.pin([one])
    with one.serving() as first:
        one.pin([], members=[{"host": "two", "identity": "x"}])
        first.send(signal.SIGHUP)
        wait_for(lambda: "not reloaded" in first.journal, _HEARD)
        line = "members[0].identity: must be an Ed25519 public key, base64url without padding"
        assert line in first.journal
        assert status(first).status_code == 200


def test_a_store_that_forgot_what_was_said_is_told_again(
    tmp_path: Path, site: Site, redis: Redis
) -> None:
    one, two = (Host.make(name, tmp_path, site, redis) for name in ("one", "two"))
    for host in (one, two):
        host.pin([one, two])
    with one.serving() as first:
        wait_for(lambda: published(first) == one.kids)
        with redis.examine() as examiner:
            wait_for(lambda: examiner.hget("oauth:fleet", "one") is not None, _HEARD)
            examiner.flushall()
        with two.serving() as second:
            wait_for(lambda: published(second) == one.kids | two.kids, _HEARD)
