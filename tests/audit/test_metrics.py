"""SRV: what the server counts is for who is on the host."""

from __future__ import annotations

import http.client

import pytest

from tests.audit.listeners import parse
from tests.audit.subject import Answer, units_of
from tests.audit.tls import Client
from tests.audit.verdict import must_equal

pytestmark = pytest.mark.group("auth_servers")

_PORT = 9464
_UNIT = "oauth-server-metrics.socket"

QUESTIONS = {"listeners": "ss -H -ltnp", "unit": units_of(_UNIT)}


@pytest.mark.control("SRV-08")
def test_metrics_are_on_loopback_alone(answers: dict[str, Answer]) -> None:
    """They tell a stranger how much goes on, and when guessing pays."""
    found = [entry for entry in parse(answers["listeners"].lines) if entry.port == _PORT]
    must_equal(
        f"addresses that port {_PORT} is open at",
        seen=sorted(entry.address for entry in found),
        expected=["127.0.0.1"],
    )


@pytest.mark.control("SRV-08")
def test_their_socket_is_enabled_and_listens(answers: dict[str, Answer]) -> None:
    """Monitoring that ends at a reboot is missed when it is needed."""
    unit = answers["unit"].units.get(_UNIT, {})
    must_equal(
        f"{_UNIT} must be",
        seen=" ".join(unit.get(key, "missing") for key in ("UnitFileState", "ActiveState")),
        expected="enabled active",
    )


@pytest.mark.control("SRV-08")
@pytest.mark.parametrize("port", [443, 8443])
def test_no_public_port_serves_them(client: Client, port: int) -> None:
    """Neither through the gateway nor beside it."""
    try:
        status = client.request("/metrics", port).status
    except (OSError, http.client.HTTPException) as error:
        pytest.fail(
            f"port {port} must answer\n  expected: an answer over verified TLS\n"
            f"  seen:     {error}",
            pytrace=False,
        )
    must_equal(f"the status of /metrics on port {port}", seen=status, expected=404)
