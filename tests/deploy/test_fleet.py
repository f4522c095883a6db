"""Two servers behind a gateway with the state: deployed in one run, rotated under load."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time

import pytest

from tests.deploy import running
from tests.deploy.fleet import GATEWAY, INVENTORY, NAME, SERVERS, Client, keys, load, until
from tests.lab.fixtures import MakeLab, RunningLab


@pytest.fixture(scope="module")
def fleet(make_lab: MakeLab) -> RunningLab:
    lab = make_lab("debian-12", "debian-12", "debian-12")
    result = running.pyinfra(lab, "-y", inventory=INVENTORY)
    assert result.returncode == 0, result.stdout + result.stderr
    return lab


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
        until(lambda: set(before) <= set(signed), failures)
        rotated = fleet.ssh("sudo oauth-server keys rotate --wait 120")
        assert rotated.returncode == 0, rotated.stderr + rotated.stdout
        after = keys(fleet, 0)["active"]
        assert after != before[0]
        until(lambda: after in signed, failures)
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

    That only servers' addresses reach it is for the firewall, and for the unit's filter besides,
    which a lab's kernel may not run: here it is looked at.
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


def test_nobody_but_the_servers_reaches_redis(fleet: RunningLab) -> None:
    """Its port is open in front of them, and silent in front of the lab's own machine."""
    state = fleet.hosts[GATEWAY].address
    for server in SERVERS:
        asked = fleet.ssh(f"timeout 5 bash -c '</dev/tcp/{state}/6379'", server)
        assert asked.returncode == 0, asked.stderr
    with pytest.raises(TimeoutError):
        socket.create_connection((state, 6379), timeout=3)
    socket.create_connection((state, 443), timeout=3).close()
    dropped = fleet.ssh("sudo nft list chain inet portcullis only_tcp_6379", GATEWAY).stdout
    assert int(re.findall(r"counter packets (\d+) bytes \d+ drop", dropped)[0]) > 0


# Asks as nobody's client, with another's address in whatever it can send; hosts have no curl.
_GUESS = """
import http.client, ssl, sys
to, name, other, times = sys.argv[1:]
context = ssl._create_unverified_context()
sent = {"Host": name, "Authorization": "Basic YTpi", "X-Forwarded-For": other, "X-Real-IP": other,
        "Content-Type": "application/x-www-form-urlencoded", "Forwarded": "for=" + other,
        "X-OAuth-Error": "invalid_client", "User-Agent": other + " 401 invalid_client gateway"}
for _ in range(int(times)):
    try:
        asking = http.client.HTTPSConnection(to, 443, timeout=5, context=context)
        asking.request("POST", "/token", "grant_type=client_credentials", sent)
        answer = asking.getresponse()
        print(answer.status, dict(answer.getheaders()))
    except OSError as error:
        print(type(error).__name__)
"""


def test_who_guesses_through_the_gateway_is_banned_there_and_nobody_else(
    fleet: RunningLab,
) -> None:
    """One server's host guesses; the other goes on, and the log that this makes names both."""
    guesser, other = (fleet.hosts[host].address for host in SERVERS)
    gateway = fleet.hosts[GATEWAY].address
    banned = "sudo fail2ban-client get oauth-gateway banip"

    def guess(host: int, times: int) -> list[str]:
        script = f"/usr/bin/python3.11 -c {running.quoted(_GUESS)} {gateway} {NAME} {other} {times}"
        done = fleet.ssh(script, host)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    try:
        said = guess(SERVERS[0], 12)
        assert said[0].startswith("401"), said
        assert "oauth-error" not in said[0].lower(), "the gateway passed it on"
        deadline = time.monotonic() + 10
        while guesser not in fleet.ssh(banned, GATEWAY).stdout:
            assert time.monotonic() < deadline, fleet.ssh(banned, GATEWAY).stdout
            time.sleep(0.2)
        assert guess(SERVERS[0], 1) == ["TimeoutError"]
        assert guess(SERVERS[1], 1)[0].startswith("401")
        assert fleet.ssh(banned, GATEWAY).stdout.split() == [guesser]
        log = "/var/log/nginx/oauth_guesses.log /etc/fail2ban/filter.d/oauth-server.conf"
        found = fleet.ssh(f"sudo fail2ban-regex -o ip {log}", GATEWAY).stdout.split()
        assert set(found) == {guesser, other}
        assert found.count(other) == 1, "its own guess of just now"
    finally:
        lifted = fleet.ssh(f"sudo fail2ban-client set oauth-gateway unbanip {guesser}", GATEWAY)
        assert lifted.returncode == 0, lifted.stderr
    assert guess(SERVERS[0], 1)[0].startswith("401")


def audit(
    fleet: RunningLab, hosts: tuple[int, ...], groups: str
) -> subprocess.CompletedProcess[str]:
    described = json.loads(fleet.lab_json.read_text())
    names = ",".join(fleet.hosts[host].name for host in hosts)
    return subprocess.run(
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


@pytest.mark.parametrize(
    ("hosts", "groups"),
    [(SERVERS, "auth_servers"), ((GATEWAY,), "gateways,state")],
    ids=["servers", "gateway-and-state"],
)
def test_the_audit_passes_on_each_host(
    fleet: RunningLab, hosts: tuple[int, ...], groups: str
) -> None:
    """Told what the hosts are, it looks for that and for nothing else."""
    done = audit(fleet, hosts, groups)
    assert done.returncode == 0, done.stdout


def test_the_audit_sees_a_gateway_that_bans_nobody(fleet: RunningLab) -> None:
    assert fleet.ssh("sudo fail2ban-client stop oauth-gateway", GATEWAY).returncode == 0
    try:
        done = audit(fleet, (GATEWAY,), "gateways,state")
    finally:
        assert fleet.ssh("sudo fail2ban-client reload", GATEWAY).returncode == 0
    assert re.findall(r"(\S+) +NOT MET", done.stdout) == ["BAN-03"], done.stdout


def test_the_audit_sees_an_identity_that_is_not_the_hosts(fleet: RunningLab) -> None:
    """Whoever can write fleet.json decides whose keys are believed."""
    file, kept = "/etc/oauth2/fleet.json", "/root/kept-fleet.json"
    damage = (
        f"import json; known = json.load(open('{file}')); a, b = known['members']; "
        "a['identity'], b['identity'] = b['identity'], a['identity']; "
        f"json.dump(known, open('{file}', 'w'))"
    )
    broken = f"sudo cp -a {file} {kept} && sudo python3 -c {running.quoted(damage)}"
    assert fleet.ssh(broken).returncode == 0
    try:
        report = audit(fleet, SERVERS[:1], "auth_servers").stdout
    finally:
        assert fleet.ssh(f"sudo mv -T {kept} {file}").returncode == 0
    assert re.findall(r"^  (\S+)  NOT MET", report, re.MULTILINE) == ["KEY-09"]


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
