"""The server where it will live: behind nginx, under systemd, beside Redis."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.lab.fixtures import RunningLab

GATEWAY, DIRECT = "", ":8443"


@pytest.fixture(scope="module")
def lab_json(deployed: RunningLab) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(deployed.lab_json.read_text())
    return described


@pytest.fixture(scope="module")
def trust(lab_json: dict[str, Any]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=lab_json["ca_file"])


@pytest.fixture
def http(lab_json: dict[str, Any], trust: ssl.SSLContext) -> Iterator[httpx.Client]:
    with httpx.Client(verify=trust, base_url=lab_json["issuer"], timeout=15) as client:
        yield client


def token(http: httpx.Client, lab_json: dict[str, Any], port: str, **headers: str) -> int:
    client = lab_json["confidential_client"]
    return http.post(
        f"{lab_json['issuer']}{port}/token",
        data={"grant_type": "client_credentials"},
        auth=(client["client_id"], client["client_secret"]),
        headers=headers,
    ).status_code


@pytest.mark.parametrize("port", [GATEWAY, DIRECT])
def test_both_ports_give_the_registered_client_a_token(
    http: httpx.Client, lab_json: dict[str, Any], port: str
) -> None:
    assert token(http, lab_json, port) == 200


@pytest.mark.parametrize("port", [GATEWAY, DIRECT])
def test_a_forged_header_does_not_move_the_address_in_the_log(
    deployed: RunningLab, http: httpx.Client, lab_json: dict[str, Any], port: str
) -> None:
    """Fail2Ban bans what stands there: it has to be the machine that connected."""
    forged = {"X-Forwarded-For": "192.0.2.66", "Forwarded": "for=192.0.2.66"}
    response = http.post(
        f"{lab_json['issuer']}{port}/token",
        data={"grant_type": "client_credentials"},
        auth=("nobody", "wrong"),
        headers=forged,
    )
    assert response.status_code == 401
    request_id = response.headers["x-request-id"]
    line = deployed.ssh(f"sudo grep {request_id} /var/log/oauth_server.log").stdout.split()
    machine = lab_json["issuer"].removeprefix("https://").rpartition(".")[0] + ".1"
    assert line[1:5] == [machine, "401", "invalid_client", "token"]
    assert "client_id=?" in line


def test_without_its_store_the_server_is_not_ready_and_comes_back_by_itself(
    deployed: RunningLab, http: httpx.Client
) -> None:
    deployed.ssh("sudo systemctl stop redis-server")
    try:
        response = http.get("/health/ready")
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert http.get("/health/live").status_code == 200
    finally:
        deployed.ssh("sudo systemctl start redis-server")
    deadline = time.monotonic() + 10
    while (status := http.get("/health/ready").status_code) != 200:
        assert time.monotonic() < deadline, status
        time.sleep(0.1)


def test_a_restart_refuses_no_connection(
    deployed: RunningLab, trust: ssl.SSLContext, lab_json: dict[str, Any]
) -> None:
    """systemd holds the sockets: what comes meanwhile waits in the backlog."""
    ssh = ["ssh", "-F", str(deployed.ssh_config), deployed.hosts[0].name]
    restart = subprocess.Popen([*ssh, "sudo systemctl restart oauth-server.service"])
    statuses = []
    while restart.poll() is None:
        with httpx.Client(verify=trust, timeout=15) as fresh:
            statuses.append(fresh.get(f"{lab_json['issuer']}:8443/health/live").status_code)
    assert restart.returncode == 0
    assert statuses
    assert set(statuses) == {200}


def test_a_server_that_could_not_start_for_long_is_back_once_the_cause_is_gone(
    deployed: RunningLab, http: httpx.Client
) -> None:
    """After five failed starts systemd would give up, and close the sockets."""
    log = "/var/log/oauth_server.log"
    deployed.ssh(f"sudo chown root {log}; sudo systemctl kill -s KILL oauth-server.service")
    try:
        restarts, deadline = "0", time.monotonic() + 30
        while int(restarts) < 7 and time.monotonic() < deadline:
            answer(http, 1)  # who knocks makes systemd try at once
            restarts = deployed.ssh("systemctl show -P NRestarts oauth-server.service").stdout
    finally:
        deployed.ssh(f"sudo chown oauth_user {log}")
    deadline = time.monotonic() + 10
    while (status := answer(http)) != 200:
        assert time.monotonic() < deadline, status
        time.sleep(0.2)


def answer(http: httpx.Client, seconds: float = 5) -> int | str:
    try:
        return http.get("/health/live", timeout=seconds).status_code
    except httpx.TransportError as error:
        return type(error).__name__


def test_a_server_that_is_stopped_is_a_503_with_retry_after(
    deployed: RunningLab, http: httpx.Client
) -> None:
    deployed.ssh("sudo systemctl stop oauth-server.socket")
    try:
        response = http.get("/health/live")
    finally:
        deployed.ssh("sudo systemctl start oauth-server.socket")
    assert response.status_code == 503
    assert response.json() == {"error": "temporarily_unavailable"}
    assert response.headers["retry-after"] == "1"
    assert http.get("/health/live").status_code == 200


def test_the_gateway_serves_nothing_that_is_not_the_servers(http: httpx.Client) -> None:
    for path in ("/", "/token/", "/TOKEN", "/health", "/.well-known/", "/metrics", "/%2e%2e/token"):
        assert http.get(path).status_code in (400, 404), path


def test_the_log_goes_on_in_a_new_file_after_a_rotation(
    deployed: RunningLab, http: httpx.Client, lab_json: dict[str, Any]
) -> None:
    rotate = "sudo logrotate --force /etc/logrotate.d/oauth-server"
    assert token(http, lab_json, GATEWAY) == 200
    assert deployed.ssh(rotate).returncode == 0
    deadline = time.monotonic() + 5
    log = "sudo cat /var/log/oauth_server.log"
    while " 200 - token " not in deployed.ssh(log).stdout:
        assert time.monotonic() < deadline, "no line in the new file"
        assert token(http, lab_json, GATEWAY) == 200
    stat = deployed.ssh("sudo stat -c '%a %U %G' /var/log/oauth_server.log").stdout.strip()
    assert stat == "640 oauth_user oauth_group"
