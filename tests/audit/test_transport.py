"""TLS: what both ports say beyond the handshake."""

from __future__ import annotations

import http.client
import re

import pytest

from tests.audit.subject import Answer
from tests.audit.tls import Client, Response
from tests.audit.verdict import must_equal, must_hold, not_checked

_YEAR = 31_536_000
_PATH = "/.well-known/oauth-authorization-server"

QUESTIONS = {"config": "cat /etc/nginx/nginx.conf 2> /dev/null; true"}


_each_port = pytest.mark.parametrize("port", [443, 8443])


@pytest.fixture
def response(client: Client, port: int) -> Response:
    """The metadata, from a port."""
    try:
        return client.request(_PATH, port)
    except (OSError, http.client.HTTPException) as error:
        pytest.fail(
            f"port {port} must answer\n  expected: an answer over verified TLS\n"
            f"  seen:     {error}",
            pytrace=False,
        )


@pytest.mark.control("TLS-09")
@_each_port
def test_browsers_are_told_to_come_by_tls_alone(response: Response) -> None:
    """For a year or longer, or the word is forgotten between two visits."""
    said = response.headers["Strict-Transport-Security"] or ""
    found = re.search(r"max-age=\"?(\d+)", said)
    must_hold(
        "Strict-Transport-Security must be",
        found and int(found[1]) >= _YEAR,
        expected=f"max-age={_YEAR} or longer",
        seen=said or "missing",
    )


@pytest.mark.control("TLS-10")
@pytest.mark.group("gateways")
def test_nginx_gives_no_tickets(answers: dict[str, Answer]) -> None:
    """Its key for them would live as long as its process."""
    said = re.findall(r"^\s*ssl_session_tickets\s+([^;]+);", answers["config"].output, re.MULTILINE)
    must_equal("ssl_session_tickets", seen=said, expected=["off"])


@pytest.mark.control("TLS-10")
@pytest.mark.group("auth_servers")
def test_the_server_gives_no_tickets(client: Client) -> None:
    """Each connection has keys that are its own."""
    try:
        resumable = client.resumable(8443)
    except OSError as error:
        not_checked(f"port 8443 is not reached from here: {error}")
    must_equal("whether port 8443 gives a session ticket", seen=resumable, expected=False)


@pytest.mark.control("TLS-11")
@_each_port
def test_no_version_is_told(response: Response) -> None:
    """Neither in the header nor in the page of an error."""
    banner = " ".join(
        value
        for name, value in response.headers.items()
        if name.lower() in ("server", "x-powered-by", "via")
    )
    must_hold(
        "what names the program must name no version",
        not re.search(r"\d", banner),
        expected="no digit",
        seen=banner,
    )
