from __future__ import annotations

import json
import re
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.server.person import Person
from tests.server.process import (
    ENVIRONMENT,
    Server,
    Site,
    activated,
    configure,
    serving,
    wait_for,
)
from tests.server.test_code_flow import code_for, next_code, redeemed
from tests.server.test_token import GRANT, basic

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(server: Server) -> Samples:
    """As Prometheus' own parser reads them."""
    with server.monitoring() as http:
        answer = http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.type != "unknown", family.name
        assert family.documentation
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, "a series twice"
            found[key] = sample.value
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    return found.get((f"oauth_server_{name}", tuple(sorted(labels.items()))), 0)


def test_requests_are_counted_by_endpoint_and_outcome(server: Server, http: httpx.Client) -> None:
    before = samples(server)
    http.post("/token", data=GRANT, headers=basic())
    http.post("/token", data=GRANT, headers=basic(secret="wrong"))
    http.get("/nothing")
    after = samples(server)
    for labels in (
        {"endpoint": "token", "status": "200", "error": ""},
        {"endpoint": "token", "status": "401", "error": "invalid_client"},
        {"endpoint": "request", "status": "404", "error": "not_found"},
    ):
        count = value(after, "requests_total", **labels) - value(before, "requests_total", **labels)
        assert count == 1, labels
    assert value(after, "request_seconds_count", endpoint="token") >= 2
    assert value(after, "request_seconds_bucket", endpoint="token", le="+Inf") == value(
        after, "request_seconds_count", endpoint="token"
    )


def test_what_signing_does_is_told(server: Server, http: httpx.Client) -> None:
    before = samples(server)
    http.post("/token", data=GRANT, headers=basic())
    after = samples(server)
    for name in ("sign_seconds_count", "sign_wait_seconds_count"):
        assert value(after, name) == value(before, name) + 1
    assert value(after, "sign_seconds_sum") > value(before, "sign_seconds_sum")
    assert value(after, "sign_queue") == 0
    assert 0 < value(after, "signing_key_age_seconds") < 3600
    assert value(after, "log_lines_lost_total") == 0
    assert value(after, "reloads_total", result="success") == 0


def test_those_who_wait_for_a_signature_are_told(server: Server, http: httpx.Client) -> None:
    def ask(_: int) -> None:
        http.post("/token", data=GRANT, headers=basic())

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask, number) for number in range(200)]
        wait_for(lambda: value(samples(server), "sign_queue") > 0)
        for asked in asking:
            asked.cancel()
    assert value(samples(server), "sign_queue") == 0


def test_what_is_revoked_is_counted_by_its_kind(server: Server, http: httpx.Client) -> None:
    """Replays, withdrawals, and what clients give back."""
    before = samples(server)
    machines = http.post("/token", data=GRANT, headers=basic()).json()["access_token"]
    http.post("/revoke", data={"token": machines}, headers=basic())
    with Person(server) as person:
        code = code_for(person, "alice")
        issued = redeemed(http, code).json()
        redeemed(http, code)  # ends it
        issued = redeemed(http, next_code(person)).json()
        http.post("/revoke", data={"token": issued["refresh_token"]}, headers=basic("web"))
        http.post("/revoke", data={"token": issued["refresh_token"]}, headers=basic("web"))
        person.submit(person.get("/account").form("withdraw"), "withdraw")
    after = samples(server)
    for kind, count in (("jti", 1), ("family", 3)):
        now, then = (value(found, "revocations_total", kind=kind) for found in (after, before))
        assert now - then == count, kind


def test_nothing_that_a_client_sends_becomes_a_label(server: Server, http: httpx.Client) -> None:
    """Else whoever can send could fill the memory of the server and of Prometheus."""
    before = samples(server)
    for number in range(50):
        http.request("PATCH", f"/{number}")
        http.post("/token", data={"grant_type": f"x{number}"}, headers=basic(f"c{number}"))
        http.get("/health/live", headers={"User-Agent": f"u{number}", "Host": f"h{number}"})
    after = samples(server)
    series = {re.sub(r"_(bucket|sum|count)$", "", name) for name, _ in after.keys() - before.keys()}
    assert len(after) - len(before) < 60, series
    assert not [key for key in after if re.search(r"[cuhx]?49", str(dict(key[1]).get("endpoint")))]


def test_the_socket_for_monitoring_serves_nothing_else(server: Server) -> None:
    with server.monitoring() as http:
        assert http.get("/health/live").status_code == 200
        assert http.get("/health/ready").status_code == 200
        for path in ("/token", "/.well-known/jwks.json", "/authorize"):
            assert http.get(path).status_code == 404
        assert http.post("/metrics").status_code == 405
        forwarded = http.get("/nothing", headers={"X-Forwarded-For": "6.6.6.6"})
        assert forwarded.status_code == 404
    assert " 127.0.0.1 404 " in server.log()[-1]


def test_nobody_else_can_read_the_metrics(http: httpx.Client, gateway: httpx.Client) -> None:
    for client in (http, gateway):
        assert client.get("/metrics").status_code == 404


def test_metrics_are_not_served_beyond_loopback(tmp_path: Path, site: Site) -> None:
    with socket.create_server(("0.0.0.0", 0)) as anywhere:  # noqa: S104 - that is the point
        refused = subprocess.run(
            activated([anywhere], "serve", "--config", str(configure(tmp_path, site))),
            pass_fds=[anywhere.fileno()], env={**ENVIRONMENT, "LISTEN_FDNAMES": "metrics"},
            capture_output=True, text=True, timeout=20,
        )  # fmt: skip
    assert refused.returncode == 1
    assert refused.stderr == "oauth-server: the socket 'metrics': 0.0.0.0 is not loopback\n"


def test_lost_lines_are_counted(tmp_path: Path, site: Site) -> None:
    with serving(tmp_path, site, log_file="/dev/full") as server, server.client() as http:
        for _ in range(3):
            assert http.post("/token", data=GRANT, headers=basic()).status_code == 200
        assert value(samples(server), "log_lines_lost_total") == 3
        assert json.dumps(server.journal).count("events are being lost") == 1


@pytest.mark.parametrize("path", ["/metrics", "/health/ready"])
def test_looking_leaves_no_line(server: Server, path: str) -> None:
    before = server.log()
    with server.monitoring() as http:
        http.get(path)
    assert server.log() == before
