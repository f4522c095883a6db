"""The server's settings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.roles.hostdata.inventory import faults, server, validated


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(
            server(access_token_lifetime="600"),
            "oauth_server.access_token_lifetime: must be a whole number",
            id="text-for-a-number",
        ),
        pytest.param(
            server(access_token_lifetime=True),
            "oauth_server.access_token_lifetime: must be a whole number",
            id="true-is-no-number",
        ),
        pytest.param(
            server(access_token_lifetime=59),
            "oauth_server.access_token_lifetime: must be 60 or more",
            id="too-short",
        ),
        pytest.param(
            server(code_timeout=601), "oauth_server.code_timeout: must be 600 or less", id="code"
        ),
        pytest.param(
            server(refresh_reuse_grace=61),
            "oauth_server.refresh_reuse_grace: must be 60 or less",
            id="grace",
        ),
        pytest.param(
            server(session_lifetime=59),
            "oauth_server.session_lifetime: must be 60 or more",
            id="session",
        ),
        pytest.param(
            server(refresh_token_lifetime=31_536_001),
            "oauth_server.refresh_token_lifetime: must be 31536000 or less",
            id="refresh",
        ),
        pytest.param(
            server(access_token_lifetime=86_401),
            "oauth_server.access_token_lifetime: must be 86400 or less",
            id="too-long",
        ),
        pytest.param(
            server(scope_error_status=401),
            "oauth_server.scope_error_status: must be 403 or 400",
            id="status",
        ),
        pytest.param(
            server(trusted_proxies=["10.0.0.1/8"]),
            "oauth_server.trusted_proxies[0]: must be an IP address or a network such as "
            "10.0.0.0/8",
            id="network-with-host-bits",
        ),
    ],
)
def test_each_fault_has_one_line(data: dict[str, Any], line: str) -> None:
    assert faults(data) == [f"web-1: {line}"]


@pytest.mark.parametrize(
    "issuer", ["https://auth.example.org", "https://localhost", "https://192.0.2.1"]
)
def test_an_issuer_is_a_name_or_an_ipv4_address(issuer: str) -> None:
    assert validated(server(issuer=issuer)).oauth_server.issuer == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "auth.example.org",
        "http://auth.example.org",
        "https://",
        "https://auth.example.org/",
        "https://auth.example.org:443",
        "https://auth.example.org?x",
        "https://auth.example.org#x",
        "https://user@auth.example.org",
        "https://Auth.example.org",
        "https://auth..example.org",
        "https://-auth.example.org",
        "https://256.0.2.1",
        "https://::1",
        "https://[::1]",
        "https://auth.example.org\n",
        "https://https://auth.example.org",
        " https://auth.example.org",
    ],
)
def test_any_other_issuer_is_refused(issuer: str) -> None:
    """RFC 8414 §2; what others compare with byte by byte must have one spelling."""
    (line,) = faults(server(issuer=issuer))
    assert line == (
        "web-1: oauth_server.issuer: must be https://<name> with a lower-case name or an IPv4 "
        "address, and no port, path or trailing slash"
    )
