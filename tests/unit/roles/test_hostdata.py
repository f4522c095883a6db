"""roles.hostdata: every rule has one line that names host, key and rule, and no value."""

from __future__ import annotations

from typing import Any

import pytest

from roles import hostdata
from roles.hostdata import HostData, HostDataError

CLIENT = {
    "client_id": "gateway_01",
    "grant_types": ["client_credentials"],
    "scope": "telemetry:read telemetry:write",
    "token_endpoint_auth_method": "client_secret_basic",
    "client_secret_hash": "sha256:" + "a" * 64,
}
APP = {
    "client_id": "app",
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "telemetry:read",
    "token_endpoint_auth_method": "none",
    "redirect_uris": ["https://app.example.org/callback"],
}
VALID: dict[str, Any] = {
    "oauth_server": {"issuer": "https://auth.example.org"},
    "clients": [CLIENT, APP],
    "certificates": {"mode": "local_ca", "directory": "/srv/ca"},
}
SECRET = "correct-horse-battery-staple"


def validate(data: dict[str, Any]) -> HostData:
    return hostdata.validate("web-1", data, connection_keys=frozenset({"ssh_user"}))


def faults(data: dict[str, Any]) -> list[str]:
    with pytest.raises(HostDataError) as refused:
        validate(data)
    return str(refused.value).splitlines()


def server(**changed: Any) -> dict[str, Any]:
    return {**VALID, "oauth_server": {**VALID["oauth_server"], **changed}}


def client(**changed: Any) -> dict[str, Any]:
    return {**VALID, "clients": [{**CLIENT, **changed}]}


def app(*redirect_uris: str) -> dict[str, Any]:
    return {**VALID, "clients": [{**APP, "redirect_uris": list(redirect_uris)}]}


def test_what_an_inventory_leaves_out_has_a_default() -> None:
    data = validate(VALID)
    assert data.oauth_server.access_token_lifetime == 600
    assert data.oauth_server.scope_error_status == 403
    assert data.redis.maxmemory == "256mb"
    assert len(data.chrony.servers) > 1
    assert data.fail2ban.max_retry > 0


def test_pyinfras_own_keys_are_none_of_ours() -> None:
    assert validate({**VALID, "ssh_user": "deploy", "_sudo": True}) == validate(VALID)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(
            {**VALID, "redsi": {}}, "redsi: unknown key; did you mean redis?", id="unknown-key"
        ),
        pytest.param(
            server(isuer="x"),
            "oauth_server.isuer: unknown key; did you mean issuer?",
            id="unknown-key-inside",
        ),
        pytest.param({**VALID, "zzzz": 1}, "zzzz: unknown key", id="unlike-any-key"),
        pytest.param({**VALID, "oauth_server": {}}, "oauth_server.issuer: is missing", id="issuer"),
        pytest.param(
            {k: v for k, v in VALID.items() if k != "certificates"},
            "certificates: is missing",
            id="certificates",
        ),
        pytest.param(
            {**VALID, "certificates": {"directory": "/srv/ca"}},
            "certificates: its mode must be local_ca or files",
            id="no-mode",
        ),
        pytest.param(
            {**VALID, "certificates": {"mode": "acme"}},
            "certificates: its mode must be local_ca or files",
            id="unknown-mode",
        ),
        pytest.param(
            {**VALID, "certificates": {"mode": "local_ca"}},
            "certificates.directory: is missing",
            id="no-directory",
        ),
        pytest.param(
            server(access_token_lifetime="600"),
            "oauth_server.access_token_lifetime: Input should be a valid integer",
            id="text-for-a-number",
        ),
        pytest.param(
            server(access_token_lifetime=True),
            "oauth_server.access_token_lifetime: Input should be a valid integer",
            id="true-is-no-number",
        ),
        pytest.param(
            server(access_token_lifetime=59),
            "oauth_server.access_token_lifetime: Input should be greater than or equal to 60",
            id="too-short",
        ),
        pytest.param(
            server(access_token_lifetime=86_401),
            "oauth_server.access_token_lifetime: Input should be less than or equal to 86400",
            id="too-long",
        ),
        pytest.param(
            server(scope_error_status=401),
            "oauth_server.scope_error_status: Input should be 403 or 400",
            id="status",
        ),
        pytest.param(
            server(trusted_proxies=["10.0.0.1/8"]),
            "oauth_server.trusted_proxies[0]: must be an IP address or a network such as "
            "10.0.0.0/8",
            id="network-with-host-bits",
        ),
        pytest.param(
            {**VALID, "redis": {"maxmemory": "lots"}},
            "redis.maxmemory: String should match pattern '^[1-9][0-9]*(kb|mb|gb)$'",
            id="maxmemory",
        ),
        pytest.param(
            {**VALID, "redis": {"maxmemory": "1mb\nport 6379"}},
            "redis.maxmemory: String should match pattern '^[1-9][0-9]*(kb|mb|gb)$'",
            id="a-second-line-in-redis.conf",
        ),
        pytest.param(
            {**VALID, "chrony": {"servers": []}},
            "chrony.servers: Tuple should have at least 1 item after validation, not 0",
            id="no-time-source",
        ),
        pytest.param(
            {**VALID, "chrony": {"servers": ["Time.example.org"]}},
            "chrony.servers[0]: must be a host name in lower case, or an IP address",
            id="time-source",
        ),
        pytest.param(
            {**VALID, "sysctl": {"values": {"net.ipv4.tcp_syncookies": "1"}}},
            "sysctl.values.net.ipv4.tcp_syncookies: Input should be a valid integer",
            id="sysctl-value",
        ),
        pytest.param(
            {**VALID, "fail2ban": {"ignore": ["office"]}},
            "fail2ban.ignore[0]: must be an IP address or a network such as 10.0.0.0/8",
            id="ignore",
        ),
        pytest.param(
            {**VALID, "logrotate": {"keep": 0}},
            "logrotate.keep: Input should be greater than or equal to 1",
            id="keep",
        ),
    ],
)
def test_each_fault_has_one_line(data: dict[str, Any], line: str) -> None:
    assert faults(data) == [f"web-1: {line}"]


@pytest.mark.parametrize(
    "issuer", ["https://auth.example.org", "https://localhost", "https://192.0.2.1"]
)
def test_an_issuer_is_a_name_or_an_ipv4_address(issuer: str) -> None:
    assert validate(server(issuer=issuer)).oauth_server.issuer == issuer


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


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.org/callback?x=1",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:8912/callback",
        "http://[::1]/callback",
        pytest.param("com.example.app:/callback", id="rfc8252-7.1-private-use-scheme"),
    ],
)
def test_redirect_uris_of_the_three_kinds_are_taken(uri: str) -> None:
    (registered,) = validate(app(uri)).clients
    assert registered.redirect_uris == (uri,)


LOOPBACK = (
    "http:// is allowed for the loopback literals 127.0.0.1 and [::1] alone (RFC 8252 §7.3); "
    "use https://"
)


@pytest.mark.parametrize(
    ("uri", "rule"),
    [
        ("http://app.example.org/callback", LOOPBACK),
        ("http://localhost/callback", LOOPBACK),
        ("http://127.0.0.1@evil.test/", LOOPBACK),
        ("http://127.0.0.1.evil.test/", LOOPBACK),
        ("http://127.0.0.2/", LOOPBACK),
        ("HTTP://app.example.org/", LOOPBACK),
        ("https://app.example.org/#x", "must have no fragment (RFC 6749 §3.1.2)"),
        ("https:///callback", "must name a host"),
        ("https://app.example.org/a b", "must be printable ASCII without spaces (RFC 3986 §2)"),
        ("https://app.example.org/\n", "must be printable ASCII without spaces (RFC 3986 §2)"),
        ("https://äpp.example.org/", "must be printable ASCII without spaces (RFC 3986 §2)"),
        ("javascript:alert(1)", "must be https://, a loopback http://, or a private-use scheme"),
        ("/callback", "must be https://, a loopback http://, or a private-use scheme"),
    ],
)
def test_any_other_redirect_uri_is_refused(uri: str, rule: str) -> None:
    assert faults(app(uri)) == [f"web-1: clients[0].redirect_uris[0]: {rule}"]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"client_id": "a b"}, "clients[0].client_id: String should match pattern"),
        ({"grant_types": ["password"]}, "clients[0].grant_types[0]: Input should be"),
        ({"grant_types": []}, "clients[0].grant_types: Tuple should have at least 1 item"),
        ({"scope": 'a"b'}, "clients[0].scope: String should match pattern"),
        ({"scope": "a  b"}, "clients[0].scope: String should match pattern"),
        ({"client_secret_hash": "md5:1"}, "clients[0].client_secret_hash: String should match"),
        ({"client_secret_hash": None}, "clients[0]: name exactly one of client_secret_hash and"),
        ({"client_secret": {"env": "A"}}, "clients[0]: name exactly one of client_secret_hash"),
        ({"client_secret": {}}, "clients[0].client_secret: name exactly one of env, file and"),
        (
            {"client_secret_hash": None, "client_secret": {"env": "A", "file": "/a"}},
            "clients[0].client_secret: name exactly one of env, file and command",
        ),
        (
            {"token_endpoint_auth_method": "none"},
            "clients[0]: a public client (token_endpoint_auth_method none) has no secret",
        ),
        (
            {"token_endpoint_auth_method": "none", "client_secret_hash": None},
            "clients[0]: client_credentials is for confidential clients (RFC 6749 §4.4)",
        ),
        (
            {"grant_types": ["authorization_code"], "redirect_uris": []},
            "clients[0]: authorization_code needs redirect_uris (RFC 6749 §3.1.2.2)",
        ),
    ],
)
def test_a_client_that_cannot_work_is_refused(changed: dict[str, Any], line: str) -> None:
    (said,) = faults(client(**changed))
    assert said.startswith(f"web-1: {line}")


def test_a_client_id_stands_there_once() -> None:
    data = {**VALID, "clients": [CLIENT, APP, CLIENT]}
    assert faults(data) == ["web-1: clients: gateway_01 stands there twice"]


def test_all_faults_are_told_at_once() -> None:
    data = {**server(issuer="http://a", zzzz=1), "logrotate": {"keep": 0}}
    assert len(faults(data)) == 3


@pytest.mark.parametrize(
    "data",
    [
        client(client_secret=SECRET),
        client(client_secret={"env": "A", "value": SECRET}),
        client(client_secret_hash=SECRET),
        client(client_secret=[SECRET]),
        {**VALID, "certificates": {"mode": "files", "private_key": SECRET, "certificate": "/a"}},
        {**VALID, "certificates": {"mode": SECRET}},
        {**VALID, "password": SECRET},
        {**VALID, "redis": SECRET},
        server(issuer=f"https://user:{SECRET}@a.test"),
        app(f"http://user:{SECRET}@a.test/"),
    ],
)
def test_no_value_is_ever_in_a_message(data: dict[str, Any]) -> None:
    """What stands at the wrong place may be a secret."""
    assert SECRET not in "\n".join(faults(data))
