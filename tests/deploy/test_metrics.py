"""Metrics: for who is on the host, and for nobody else."""

from __future__ import annotations

import json
import socket
import ssl
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.lab import access_token
from tests.lab.fixtures import RunningLab

_PORT = 9464
_GET = (
    "python3 -c 'import sys, urllib.request as r; "
    'sys.stdout.write(r.urlopen(f"http://127.0.0.1:9464{sys.argv[1]}").read().decode())\' '
)


@pytest.fixture(scope="module")
def lab_json(deployed: RunningLab) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(deployed.lab_json.read_text())
    return described


def asked_on_the_host(lab: RunningLab, path: str) -> str:
    said = lab.ssh(_GET + path)
    assert said.returncode == 0, said.stderr
    return said.stdout


def test_who_is_on_the_host_reads_how_the_server_does(
    deployed: RunningLab, lab_json: dict[str, Any]
) -> None:
    access_token.fetch_verified(deployed.lab_json)
    families = {
        family.name: family
        for family in text_string_to_metric_families(asked_on_the_host(deployed, "/metrics"))
    }
    answered = [
        sample.value
        for sample in families["oauth_server_requests"].samples
        if sample.labels.get("endpoint") == "token"
    ]
    assert sum(answered) >= 1
    assert families["oauth_server_signing_key_age_seconds"].samples[0].value > 0
    assert asked_on_the_host(deployed, "/health/ready").strip() != ""
    whole = asked_on_the_host(deployed, "/metrics")
    for name in (lab_json["user"]["username"], lab_json["confidential_client"]["client_id"]):
        assert f'"{name}"' not in whole


def test_the_network_has_no_way_to_them(deployed: RunningLab, lab_json: dict[str, Any]) -> None:
    address = lab_json["issuer"].removeprefix("https://")
    with pytest.raises(TimeoutError):  # the firewall drops what nobody opened
        socket.create_connection((address, _PORT), timeout=2)
    # Nor would there be one without a firewall.
    listening = deployed.ssh(f"ss -Hltn 'sport = :{_PORT}'").stdout.split()
    assert listening[3] == f"127.0.0.1:{_PORT}"
    assert len(listening) == 5
    trust = ssl.create_default_context(cafile=lab_json["ca_file"])
    with httpx.Client(verify=trust, timeout=15) as http:
        for port in ("", ":8443"):
            for path in ("/metrics", "/metrics/", "/METRICS", "/%6detrics", "//metrics"):
                status = http.get(f"{lab_json['issuer']}{port}{path}").status_code
                assert status in (400, 404), (port, path)


def test_its_socket_serves_nothing_else(deployed: RunningLab) -> None:
    refused = deployed.ssh(_GET + "/.well-known/jwks.json")
    assert "404" in refused.stderr


def test_the_unit_is_as_closed_as_it_can_be(deployed: RunningLab) -> None:
    rated = deployed.ssh("systemd-analyze security --threshold=15 oauth-server.service")
    assert rated.returncode == 0, rated.stdout
