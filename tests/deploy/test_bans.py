"""Who guesses passwords or codes at the real endpoints is kept out, and nobody else is."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_address
from typing import Any

import httpx
import pytest

from tests.deploy import running
from tests.lab import naming
from tests.lab.code_flow import CodeFlow
from tests.lab.fixtures import RunningLab
from tests.lab.machine import LabError

_RETRIES = 10
_LIST = "nft list table inet portcullis-bans"

# Clients of the host's in a network namespace of its own: the machine's bridge need not have IPv6.
_SIX = """
import http.client, json, socket, ssl, subprocess, time
context = ssl._create_unverified_context()
NET = "fd5e:ed00:1"
SOURCES = [f"{NET}::a", f"{NET}::b", f"{NET}:1::a"]
def client(source):
    return http.client.HTTPSConnection(
        f"{NET}::1", 8443, timeout=2, source_address=(source, 0), context=context)
def asks(one):
    try:
        one.request("GET", "/health/live")
        one.getresponse().read()
    except OSError:
        return False
    one.auto_open = 0  # the same connection from now on
    return True
def fail2ban(what):
    subprocess.run(["fail2ban-client", "set", "oauth-server", what, SOURCES[0]], check=True,
                   stdout=subprocess.DEVNULL)
    time.sleep(2)
held = [client(source) for source in SOURCES]
print(json.dumps([asks(one) for one in held]))
fail2ban("banip")
# The one that is not banned first: the server closes a connection after five silent seconds.
print(json.dumps([asks(one) for one in reversed(held)][::-1]))
print(json.dumps([asks(client(source)) for source in SOURCES]))
fail2ban("unbanip")
print(json.dumps([asks(client(source)) for source in SOURCES]))
"""
_IN_A_NAMESPACE = f"""\
ip netns add six
trap 'ip netns del six' EXIT
ip link add six0 type veth peer name six1 netns six
ip address add fd5e:ed00:1::1/48 dev six0 nodad
ip link set six0 up
ip -n six link set six1 up
for one in ::a ::b :1::a; do ip -n six address add fd5e:ed00:1$one/48 dev six1 nodad; done
sleep 1
ip netns exec six /usr/bin/python3 -c '{_SIX}'"""


@pytest.fixture(scope="module")
def lab_json(deployed: RunningLab) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(deployed.lab_json.read_text())
    return described


@pytest.fixture
def stranger(deployed: RunningLab, lab_json: dict[str, Any]) -> Iterator[str]:
    """An address that nothing was deployed from: the one that was is never banned."""
    address = str(ip_address(lab_json["issuer"].removeprefix("https://")) + 189)
    at = ["dev", naming.bridge(deployed.name)]
    subprocess.run(["ip", "address", "add", f"{address}/32", *at], check=True)
    yield address
    subprocess.run(["ip", "address", "del", f"{address}/32", *at], check=True)
    deployed.ssh(f"sudo fail2ban-client set oauth-server unbanip {address}")


def guess_passwords(lab_json: dict[str, Any], source: str) -> None:
    with closing(CodeFlow(lab_json, source=source)) as app:
        page = app.ask()
        for number in range(_RETRIES):
            with pytest.raises(LabError, match="401"):
                app.log_in(page, password=f"a guess of many: {number}")


def guess_codes(lab_json: dict[str, Any], source: str) -> None:
    with closing(CodeFlow(lab_json, source=source)) as app:
        for number in range(_RETRIES):
            guessed = {"code": f"guess-{number}", "code_verifier": app.verifier}
            redirect = {"redirect_uri": app.client["redirect_uri"]}
            error = app.refused(grant_type="authorization_code", **guessed, **redirect)
            assert error == "invalid_grant"


@pytest.mark.parametrize("guess", [guess_passwords, guess_codes])
def test_who_guesses_is_banned_and_others_are_not(
    deployed: RunningLab,
    lab_json: dict[str, Any],
    stranger: str,
    guess: Callable[[dict[str, Any], str], None],
) -> None:
    guess(lab_json, stranger)
    deadline = time.monotonic() + 20
    while stranger not in deployed.ssh("sudo fail2ban-client status oauth-server").stdout:
        assert time.monotonic() < deadline, "nobody was banned"
        time.sleep(0.5)
    trust = ssl.create_default_context(cafile=lab_json["ca_file"])
    for port in ("", ":8443"):
        url = f"{lab_json['issuer']}{port}/health/live"
        transport = httpx.HTTPTransport(verify=trust, local_address=stranger)
        refused = pytest.raises(httpx.TransportError)
        with httpx.Client(transport=transport, timeout=3) as banned, refused:
            banned.get(url)
        with httpx.Client(verify=trust) as other:
            assert other.get(url).status_code == 200


def ban(deployed: RunningLab, address: str) -> None:
    done = deployed.ssh(f"sudo fail2ban-client set oauth-server banip {address}")
    assert done.returncode == 0, done.stderr


def wait_for_ban(deployed: RunningLab, shown: str) -> None:
    deadline = time.monotonic() + 20
    while shown not in deployed.ssh(f"sudo {_LIST}").stdout:
        assert time.monotonic() < deadline, f"{shown} is not banned"
        time.sleep(0.5)


def starts(deployed: RunningLab) -> int:
    """How often Fail2Ban has started sshd's jail; all bans are lifted for a moment then."""
    started = deployed.ssh("sudo grep -c \"Jail 'sshd' started\" /var/log/fail2ban.log").stdout
    return int(started)


def handle(deployed: RunningLab) -> str:
    """Of the table: one that was made anew has another."""
    listed = deployed.ssh(f"sudo {_LIST.replace('nft', 'nft --handle')}").stdout
    found = re.search(r"table inet portcullis-bans { # handle (\d+)", listed)
    assert found, listed
    return found[1]


def reaches(to: str, source: str, port: int) -> bool:
    try:
        socket.create_connection((to, port), 3, source_address=(source, 0)).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("port", [443, 8443])
@pytest.mark.parametrize(
    ("command", "flushes"),
    [
        ("systemctl restart nftables", True),
        ("systemctl reload nftables", True),
        ("systemctl restart fail2ban", False),
        ("systemctl restart oauth-server", False),
        ("systemctl restart portcullis-firewall", False),
    ],
)
def test_a_ban_survives(
    deployed: RunningLab, stranger: str, command: str, *, flushes: bool, port: int
) -> None:
    to = deployed.hosts[0].address
    assert reaches(to, stranger, port)
    ban(deployed, stranger)
    wait_for_ban(deployed, stranger)
    before = handle(deployed)
    done = deployed.ssh(f"sudo {command}")
    assert done.returncode == 0, done.stderr
    wait_for_ban(deployed, stranger)
    assert (handle(deployed) != before) == flushes
    assert not reaches(to, stranger, port)
    assert reaches(to, "", port)


def test_bans_that_a_hand_flushed_come_back_with_the_next_one(
    deployed: RunningLab, stranger: str
) -> None:
    """Nothing tells Fail2Ban of it; when a ban fails it starts all jails anew, once."""
    before = starts(deployed)
    ban(deployed, stranger)
    deployed.ssh("sudo fail2ban-client set sshd banip 198.18.0.9")
    for shown in (stranger, "198.18.0.9"):
        wait_for_ban(deployed, shown)
    deployed.ssh("sudo sh -c 'nft flush ruleset; systemctl restart portcullis-firewall'")
    assert stranger not in deployed.ssh(f"sudo {_LIST}").stdout
    ban(deployed, "198.18.0.8")
    try:
        for shown in ("198.18.0.8", stranger, "198.18.0.9"):
            wait_for_ban(deployed, shown)
        assert not reaches(deployed.hosts[0].address, stranger, 443)
        assert starts(deployed) == before + 1
    finally:
        deployed.ssh("sudo fail2ban-client unban 198.18.0.8 198.18.0.9")


def test_an_ipv6_ban_is_of_the_64_and_ends_open_connections(deployed: RunningLab) -> None:
    """Of two addresses of one /64 one is banned; a third one is of the neighbouring /64."""
    done = deployed.ssh(f"sudo sh -ec {running.quoted(_IN_A_NAMESPACE)}")
    assert done.returncode == 0, done.stdout + done.stderr
    before, banned, opened, lifted = map(json.loads, done.stdout.splitlines()[-4:])
    assert before == [True, True, True]
    assert banned == [False, False, True], "on connections that were open already"
    assert opened == [False, False, True], "on new connections"
    assert lifted == [True, True, True]


def test_a_fail2ban_that_dies_of_its_python_fails_the_deploy_with_its_own_words(
    deployed: RunningLab,
) -> None:
    """As Ubuntu 24.04's first one does, whose Python has no asynchat any more."""
    modules = "/usr/lib/python3.11"
    taken = "asynchat.py asyncore.py"
    deployed.ssh(f"cd {modules} && sudo mkdir taken && sudo mv {taken} taken/")
    deployed.ssh("sudo systemctl stop fail2ban")
    try:
        failed = running.pyinfra(deployed, "-y")
    finally:
        deployed.ssh(f"cd {modules} && sudo mv taken/* . && sudo rmdir taken")
    assert failed.returncode != 0
    assert "No module named 'asynchat'" in failed.stdout + failed.stderr
    assert running.pending(deployed) == ["fail2ban | Run Fail2Ban [BAN-02]"]
    running.deploy(deployed)
    assert running.pending(deployed) == []
