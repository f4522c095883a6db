"""A server joins a fleet under load, and another leaves it.

Redis starts anew to know its servers: for that moment the answer is 503 with Retry-After. No other
answer but the right one is given.
"""

from __future__ import annotations

import time

import pytest

from tests.deploy import running
from tests.deploy.fleet import GATEWAY, INVENTORY, Client, keys, load, until
from tests.lab.fixtures import MakeLab, RunningLab

LEAVER, STAYER, JOINER = 0, 1, 3


@pytest.fixture(scope="module")
def fleet(make_lab: MakeLab) -> RunningLab:
    lab = make_lab("debian-12", "debian-12", "debian-12", "debian-12")
    deploy(lab, LEAVER, STAYER)
    return lab


def deploy(lab: RunningLab, *servers: int) -> str:
    done = running.pyinfra(lab, "-y", inventory=INVENTORY, FLEET_SERVERS=_numbers(servers))
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert running.pending(lab, inventory=INVENTORY, FLEET_SERVERS=_numbers(servers)) == []
    return said


def wrong(failures: list[str]) -> list[str]:
    return [failure for failure in failures if "503 Service Unavailable" not in failure]


def _numbers(servers: tuple[int, ...]) -> str:
    return ",".join(map(str, servers))


def test_a_server_that_joins_publishes_before_it_signs(
    fleet: RunningLab,
) -> None:
    client, old = Client(fleet), (LEAVER, STAYER)
    with load(client, old) as (signed, failures):
        until(lambda: len(signed) > 20, failures)
        said = deploy(fleet, *old, JOINER)
        assert f"{fleet.hosts[JOINER].name} may not sign yet" in said
        fresh = keys(fleet, JOINER)["pending"]
        assert "active" not in keys(fleet, JOINER)
        assert client.ask(JOINER, "/token", {"grant_type": "client_credentials"}).status_code == 503
        until(lambda: all(fresh in client.kids(host) for host in (*old, JOINER)))
        # It verifies what the others sign from its first minute on.
        assert client.is_active(JOINER, client.token())
        rotated = fleet.ssh("sudo oauth-server keys rotate --wait 120", JOINER)
        assert rotated.returncode == 0, rotated.stdout + rotated.stderr
        assert keys(fleet, JOINER)["active"] == fresh
        until(lambda: client.ask(JOINER, "/health/ready").status_code == 200)
        assert fresh not in signed
        deploy(fleet, *old, JOINER)
        until(lambda: fresh in signed)
    assert wrong(failures) == []


def test_a_server_that_leaves_is_gone_when_its_last_token_has_expired(fleet: RunningLab) -> None:
    client, rest = Client(fleet), (STAYER, JOINER)
    gone = set(keys(fleet, LEAVER).values())
    with load(client, rest) as (signed, failures):
        until(lambda: len(signed) > 20, failures)
        last = client.ask(LEAVER, "/token", {"grant_type": "client_credentials"})
        stop = "sudo systemctl disable --now oauth-server.socket oauth-server.service"
        assert fleet.ssh(stop, LEAVER).returncode == 0
        token, issued = str(last.json()["access_token"]), time.monotonic()
        deploy(fleet, *rest)
        # The others have heard of it by now. From then on count a lifetime (60 s), the minute for
        # which a server signs that cannot read its ring, two leeways (5 s each), and the 5 s after
        # which they look again; ten more are for this machine.
        told = time.monotonic()
        # A lifetime of 60 s, less the second that `exp` may be rounded by.
        while time.monotonic() < issued + 55:
            assert all(client.is_active(host, token) for host in rest)
            time.sleep(2)
        while any(gone & client.kids(host) for host in rest):
            assert time.monotonic() < told + 145
            time.sleep(2)
        assert not any(client.is_active(host, token) for host in rest)
    assert wrong(failures) == []
    config = fleet.ssh("sudo cat /etc/nginx/nginx.conf", GATEWAY).stdout
    assert fleet.hosts[LEAVER].address not in config
    users = fleet.ssh("sudo cut -d ' ' -f 2 /etc/redis/users.acl", GATEWAY).stdout
    assert fleet.hosts[LEAVER].name not in users
