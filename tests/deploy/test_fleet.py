"""Two servers behind a gateway with the state: deployed in one run, rotated under load."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.deploy import running
from tests.lab.fixtures import MakeLab, RunningLab

INVENTORY = "tests/deploy/fleet_inventory.py"
NAME = "auth.example.net"
SERVERS, GATEWAY = (0, 1), 2


@pytest.fixture(scope="module")
def fleet(make_lab: MakeLab) -> RunningLab:
    lab = make_lab("debian-12", "debian-12", "debian-12")
    result = running.pyinfra(lab, "-y", inventory=INVENTORY)
    assert result.returncode == 0, result.stdout + result.stderr
    return lab


class Client:
    """Asks a host of the fleet under the issuer's name; every answer is on a fresh connection."""

    def __init__(self, lab: RunningLab) -> None:
        described = json.loads(lab.lab_json.read_text())
        known = described["confidential_client"]
        self._auth = (known["client_id"], known["client_secret"])
        self._lab = lab
        self._trust = ssl.create_default_context(cafile=described["ca_file"])

    def ask(
        self, host: int, path: str, form: dict[str, str] | None = None, port: int = 8443
    ) -> httpx.Response:
        with httpx.Client(verify=self._trust, timeout=15) as http:
            return http.request(
                "POST" if form else "GET",
                f"https://{self._lab.hosts[host].address}:{port}{path}",
                data=form,
                auth=self._auth if form else None,
                headers={"Host": NAME},
                extensions={"sni_hostname": NAME},
            )

    def token(self) -> str:
        """By the gateway, from whichever server it leads to."""
        answer = self.ask(GATEWAY, "/token", {"grant_type": "client_credentials"}, port=443)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def is_active(self, host: int, token: str) -> bool:
        answer = self.ask(host, "/introspect", {"token": token})
        answer.raise_for_status()
        return bool(answer.json()["active"])

    def kids(self, host: int) -> set[str]:
        answer = self.ask(host, "/.well-known/jwks.json")
        answer.raise_for_status()
        return {key["kid"] for key in answer.json()["keys"]}


def kid_of(token: str) -> str:
    header = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


@contextmanager
def load(client: Client) -> Iterator[tuple[list[str], list[str]]]:
    """Tokens by the gateway, each verified by both servers: their kids, and what went wrong."""
    signed: list[str] = []
    failures: list[str] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                token = client.token()
                kid = kid_of(token)
                for host in SERVERS:
                    if not client.is_active(host, token):
                        failures.append(f"server {host} refused a token of {kid}")
                    if kid not in client.kids(host):
                        failures.append(f"server {host} does not publish {kid}")
                signed.append(kid)
            except httpx.HTTPError as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield signed, failures
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def keys(lab: RunningLab, host: int) -> dict[str, str]:
    """The kid of each state."""
    done = lab.ssh("sudo oauth-server keys list --json", host)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {key["state"]: key["kid"] for key in found["keys"]}


def test_a_second_run_changes_nothing(fleet: RunningLab) -> None:
    """fleet.json was right on both servers after the first one."""
    assert running.pending(fleet, inventory=INVENTORY) == []


def test_each_server_publishes_the_keys_of_both(fleet: RunningLab) -> None:
    client = Client(fleet)
    own = [set(keys(fleet, host).values()) for host in SERVERS]
    deadline = time.monotonic() + 60
    while any(client.kids(host) != own[0] | own[1] for host in SERVERS):
        assert time.monotonic() < deadline, [client.kids(host) for host in SERVERS]
        time.sleep(1)


def test_a_rotation_under_load_costs_no_request(fleet: RunningLab) -> None:
    """Each server verifies the other's tokens before, meanwhile and after."""
    client = Client(fleet)
    before = [keys(fleet, host)["active"] for host in SERVERS]
    with load(client) as (signed, failures):
        _until(lambda: set(before) <= set(signed), failures)
        rotated = fleet.ssh("sudo oauth-server keys rotate --wait 120")
        assert rotated.returncode == 0, rotated.stderr + rotated.stdout
        after = keys(fleet, 0)["active"]
        assert after != before[0]
        _until(lambda: after in signed, failures)
        time.sleep(3)
    assert failures == []
    assert {*before, after} <= set(signed)


def test_a_server_that_stops_costs_no_client_an_answer(fleet: RunningLab) -> None:
    """A key set can be had from the other one."""
    client = Client(fleet)
    address = fleet.hosts[1].address
    # As a host that lost its power: nothing comes back, not even a refusal.
    cut = (
        "sudo nft 'add table inet t; add chain inet t o { type filter hook output priority 0; }; "
        f"add rule inet t o ip daddr {address} drop'"
    )
    assert fleet.ssh(cut, GATEWAY).returncode == 0
    try:
        statuses = [
            client.ask(GATEWAY, "/.well-known/jwks.json", port=443).status_code for _ in range(12)
        ]
    finally:
        assert fleet.ssh("sudo nft delete table inet t", GATEWAY).returncode == 0
    assert statuses == [200] * 12


def test_redis_tells_a_stranger_nothing(fleet: RunningLab) -> None:
    """Whoever reaches the port gets TLS, and is asked for a password there.

    That only servers' addresses reach it is for the unit's filter, which a lab's kernel may not
    run: here it is looked at.
    """
    state = fleet.hosts[GATEWAY].address
    cli = f"sudo redis-cli -h {state} -p 6379"
    tls = f"--tls --cacert /etc/oauth2/certs/ca.pem --sni {NAME}"
    # What redis-cli compares is no name; who answers is verified by the server's own tests.
    assert "NOAUTH" in fleet.ssh(f"{cli} {tls} PING", GATEWAY).stdout
    assert "PONG" not in fleet.ssh(f"{cli} PING", GATEWAY).stdout
    asked = "systemctl show --property=IPAddressAllow,IPAddressDeny redis-server.service"
    shown = dict(line.split("=", 1) for line in fleet.ssh(asked, GATEWAY).stdout.splitlines())
    assert set(shown["IPAddressDeny"].split()) == {"0.0.0.0/0", "::/0"}
    servers = {f"{fleet.hosts[host].address}/32" for host in SERVERS}
    assert set(shown["IPAddressAllow"].split()) == {"127.0.0.0/8", "::1/128", *servers}


@pytest.mark.parametrize(
    ("hosts", "groups"),
    [(SERVERS, "auth_servers"), ((GATEWAY,), "gateways,state")],
    ids=["servers", "gateway-and-state"],
)
def test_the_audit_passes_on_each_host(
    fleet: RunningLab, hosts: tuple[int, ...], groups: str
) -> None:
    """Told what the hosts are, it looks for that and for nothing else."""
    described = json.loads(fleet.lab_json.read_text())
    names = ",".join(fleet.hosts[host].name for host in hosts)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/audit"),
            *(f"--hosts={names}", f"--groups={groups}", f"--ssh-config={fleet.ssh_config}"),
            *("--sudo", f"--ca-file={described['ca_file']}", f"--issuer=https://{NAME}"),
        ],
        cwd=running.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_private_key_and_no_password_leaves_its_host(fleet: RunningLab) -> None:
    """Neither in a file on another host, nor in what the control machine keeps or was told."""
    secrets = [
        fleet.ssh(f"sudo cat {path}", host).stdout.splitlines()[line]
        for host in SERVERS
        for path, line in (
            ("/etc/oauth2/keys/ring/active/private.pem", 1),
            ("/etc/oauth2/keys/identity.pem", 1),
            ("/etc/oauth2/redis.password", 0),
        )
    ]
    assert all(len(secret) >= 40 for secret in secrets)
    said = running.pyinfra(fleet, "-y", "-vvv", "--diff", inventory=INVENTORY)
    assert said.returncode == 0
    for secret in secrets:
        assert secret not in said.stdout + said.stderr
        for directory in (fleet.directory, running.ROOT / ".cache"):
            found = subprocess.run(
                ["grep", "-rqF", "--", secret, str(directory)], check=False
            ).returncode
            assert found == 1, directory
    for host in (*SERVERS, GATEWAY):
        others = [secret for at, secret in enumerate(secrets) if at // 3 != host]
        patterns = " ".join(f"-e {secret}" for secret in others)
        done = fleet.ssh(
            f"sudo grep -rlF {patterns} /etc /var/lib/oauth-server /var/lib/redis", host
        )
        assert done.stdout == ""


def _until(met: Any, failures: list[str]) -> None:
    deadline = time.monotonic() + 60
    while not met():
        assert not failures, failures[:5]
        assert time.monotonic() < deadline
        time.sleep(0.2)
