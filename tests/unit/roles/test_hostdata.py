"""roles.hostdata: every rule has one line that names host, key and rule, and no value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roles import hostdata
from roles.certificate_data import AcmeData, LocalCaData
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
_PASSPHRASE = {"passphrase": {"env": "CA_PASSPHRASE"}}
VALID: dict[str, Any] = {
    "oauth_server": {"issuer": "https://auth.example.org"},
    "clients": [CLIENT, APP],
    "certificates": {"mode": "local_ca", "directory": "/srv/ca", **_PASSPHRASE},
}


def acme(**changes: object) -> dict[str, Any]:
    return {**VALID, "certificates": {"mode": "acme", "terms_agreed": True, **changes}}


PASSWORD_HASH = f"$argon2id$v=19$m=65536,t=3,p=4${'b' * 22}${'c' * 43}"
USER = {"username": "ada", "password_hash": PASSWORD_HASH}
JWKS = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "a" * 43, "kid": "one"}]}
ASSERTING = {key: value for key, value in CLIENT.items() if key != "client_secret_hash"} | {
    "token_endpoint_auth_method": "private_key_jwt",
    "jwks": JWKS,
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


def sysctl(value: object) -> dict[str, Any]:
    return {**VALID, "sysctl": {"values": {"fs.file-max": value}}}


def under(key: Any) -> dict[str, Any]:
    return {**VALID, key: 1}


def key_from(**place: object) -> dict[str, Any]:
    files = {"mode": "files", "certificate": "/a", "private_key": place}
    return {**VALID, "certificates": files}


def app(*redirect_uris: str) -> dict[str, Any]:
    return {**VALID, "clients": [{**APP, "redirect_uris": list(redirect_uris)}]}


def test_what_an_inventory_leaves_out_has_a_default() -> None:
    data = validate(VALID)
    assert data.oauth_server.access_token_lifetime == 600
    assert data.oauth_server.scope_error_status == 403
    assert data.redis.maxmemory == "256mb"
    assert len(data.chrony.servers) > 1
    assert data.fail2ban.max_retry > 0


def test_users_that_nobody_names_are_not_no_users() -> None:
    assert validate(VALID).users is None
    assert validate({**VALID, "users": []}).users == ()
    (user,) = validate({**VALID, "users": [USER]}).users or ()
    assert (user.username, user.disabled) == ("ada", False)


def test_a_client_may_have_a_key_instead_of_a_secret() -> None:
    (client,) = validate({**VALID, "clients": [ASSERTING]}).clients
    assert client.model_dump(mode="json")["jwks"] == JWKS


def test_pyinfras_own_keys_are_none_of_ours() -> None:
    pyinfras = {"ssh_user": "deploy", "_sudo": True, "_env": {"LANG": "C"}}
    assert validate({**VALID, **pyinfras}) == validate(VALID)


def test_a_path_may_begin_with_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    data = validate(
        {**VALID, "certificates": {"mode": "local_ca", "directory": "~/ca", **_PASSPHRASE}}
    )
    assert isinstance(data.certificates, LocalCaData)
    assert data.certificates.directory == Path("/home/ada/ca")


def test_acme_needs_no_more_than_the_agreement() -> None:
    data = validate(acme()).certificates
    assert isinstance(data, AcmeData)
    assert data.directory_url == "https://acme-v02.api.letsencrypt.org/directory"
    assert isinstance(
        validate(acme(directory_url="https://10.0.0.1:14000/dir")).certificates, AcmeData
    )


@pytest.mark.parametrize("value", [-(2**31), 2**64 - 1])
def test_a_kernel_setting_may_have_what_a_kernel_number_holds(value: int) -> None:
    assert validate(sysctl(value)).sysctl.values == {"fs.file-max": value}


@pytest.mark.parametrize("value", ["16mb", "16384kb", "1024gb"])
def test_redis_gets_from_16_mb_to_a_terabyte(value: str) -> None:
    assert validate({**VALID, "redis": {"maxmemory": value}}).redis.maxmemory == value


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
            "certificates: its mode must be local_ca, files or acme",
            id="no-mode",
        ),
        pytest.param(
            {**VALID, "certificates": {"mode": "certbot"}},
            "certificates: its mode must be local_ca, files or acme",
            id="unknown-mode",
        ),
        pytest.param(
            {**VALID, "certificates": {"mode": "local_ca", "directory": "/srv/ca"}},
            "certificates.passphrase: is missing",
            id="no-passphrase",
        ),
        pytest.param(
            acme(terms_agreed=False), "certificates.terms_agreed: must be True", id="no-agreement"
        ),
        pytest.param(
            acme(directory_url="http://acme.example.org/dir"),
            "certificates.directory_url: must be the https:// URL of an ACME directory, without a "
            "user, query or fragment",
            id="acme-without-tls",
        ),
        pytest.param(
            acme(email="--help@example.org"),
            "certificates.email: must be an e-mail address",
            id="an-address-that-is-an-option",
        ),
        pytest.param(
            {**acme(), "oauth_server": {"issuer": "https://192.0.2.7"}},
            "certificates: acme needs an issuer with a public name, for which http-01 can be asked "
            "(RFC 8555 §8.3)",
            id="acme-for-an-address",
        ),
        pytest.param(
            {**VALID, "certificates": {"mode": "local_ca", **_PASSPHRASE}},
            "certificates.directory: is missing",
            id="no-directory",
        ),
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
            {**VALID, "users": [{**USER, "username": "Ada"}]},
            "users[0].username: must match ^[a-z0-9][a-z0-9._@-]{0,63}$",
            id="username",
        ),
        pytest.param(
            {**VALID, "users": [{**USER, "password_hash": "$argon2id$v=19$m=8,t=1,p=1$YQ$YQ"}]},
            "users[0].password_hash: must be what `oauth-server users hash` prints "
            "($argon2id$v=19$m=65536,…)",
            id="weaker-hash",
        ),
        pytest.param(
            {**VALID, "users": [{**USER, "password": SECRET}]},
            "users[0].password: unknown key; did you mean password_hash?",
            id="password-itself",
        ),
        pytest.param(
            {**VALID, "users": [USER, USER]}, "users: ada stands there twice", id="user-twice"
        ),
        pytest.param(
            {**VALID, "users": [{**USER, "username": "gateway_01"}]},
            "users: gateway_01 is a client_id, too",
            id="user-is-client",
        ),
        pytest.param(
            client(jwks=JWKS),
            "clients[0]: jwks and token_endpoint_auth_method private_key_jwt belong together",
            id="key-and-secret",
        ),
        pytest.param(
            {**VALID, "clients": [{**ASSERTING, "jwks": None}]},
            "clients[0]: jwks and token_endpoint_auth_method private_key_jwt belong together",
            id="no-key",
        ),
        pytest.param(
            {**VALID, "clients": [{**ASSERTING, "client_secret": {"env": "A"}}]},
            "clients[0]: a client with private_key_jwt has no secret (RFC 7523)",
            id="secret-beside-key",
        ),
        pytest.param(
            {**VALID, "clients": [{**ASSERTING, "jwks": {"keys": [{"kty": "oct", "k": SECRET}]}}]},
            "clients[0].jwks: must hold public keys alone (RFC 7518 §6)",
            id="secret-key",
        ),
        pytest.param(
            {**VALID, "clients": [{**ASSERTING, "jwks": {"keys": []}}]},
            "clients[0].jwks.keys: must not be empty",
            id="no-keys",
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
        pytest.param(
            {**VALID, "redis": {"maxmemory": "lots"}},
            "redis.maxmemory: must be a number with kb, mb or gb, from 16mb to 1024gb",
            id="maxmemory",
        ),
        pytest.param(
            {**VALID, "redis": {"maxmemory": "1mb\nport 6379"}},
            "redis.maxmemory: must be a number with kb, mb or gb, from 16mb to 1024gb",
            id="a-second-line-in-redis.conf",
        ),
        pytest.param(
            {**VALID, "chrony": {"servers": []}},
            "chrony.servers: must not be empty",
            id="no-time-source",
        ),
        pytest.param(
            {**VALID, "chrony": {"servers": ["Time.example.org"]}},
            "chrony.servers[0]: must be a host name in lower case, or an IP address",
            id="time-source",
        ),
        pytest.param(
            {**VALID, "sysctl": {"values": {"net.ipv4.tcp_syncookies": "1"}}},
            "sysctl.values.net.ipv4.tcp_syncookies: must be a whole number",
            id="sysctl-value",
        ),
        pytest.param(
            {**VALID, "fail2ban": {"ignore": ["office"]}},
            "fail2ban.ignore[0]: must be an IP address or a network such as 10.0.0.0/8",
            id="ignore",
        ),
        pytest.param(
            {**VALID, "logrotate": {"keep": 0}},
            "logrotate.keep: must be 1 or more",
            id="keep",
        ),
        pytest.param(
            {**VALID, "logrotate": {"keep": 3651}},
            "logrotate.keep: must be 3650 or less",
            id="ten-years-of-logs",
        ),
        pytest.param(
            {**VALID, "fail2ban": {"max_retry": 10_001}},
            "fail2ban.max_retry: must be 10000 or less",
            id="a-jail-that-never-bans",
        ),
        pytest.param(
            {**VALID, "fail2ban": {"find_time": 604_801}},
            "fail2ban.find_time: must be 604800 or less",
            id="more-than-a-week",
        ),
        pytest.param(
            {**VALID, "fail2ban": {"ban_time": 10**5000}},
            "fail2ban.ban_time: must be 31536000 or less",
            id="more-than-a-year",
        ),
        *(
            pytest.param(
                {**VALID, "redis": {"maxmemory": memory}},
                "redis.maxmemory: must be a number with kb, mb or gb, from 16mb to 1024gb",
                id=f"maxmemory-{memory[:9]}",
            )
            for memory in ("1kb", "15mb", "1025gb", "9" * 5000 + "gb")
        ),
        pytest.param(
            sysctl(2**64),
            "sysctl.values.fs.file-max: must be less than 18446744073709551616",
            id="more-than-the-kernel-holds",
        ),
        pytest.param(
            sysctl(-(10**5000)),
            "sysctl.values.fs.file-max: must be -2147483648 or more",
            id="a-number-that-python-will-not-print",
        ),
        pytest.param(
            {**VALID, "sysctl": {"values": {"A=1\nb": 1}}},
            r"sysctl.values.A=1\nb: the key itself must match ^[a-z0-9_.*/-]+$",
            id="sysctl-key",
        ),
        pytest.param(under(5), "[5]: a key must be text", id="number-as-a-key"),
        pytest.param(under(None), "None: a key must be text", id="none-as-a-key"),
        pytest.param({**VALID, "redis": {5: 1}}, "redis[5]: a key must be text", id="key-inside"),
        pytest.param({**VALID, "_bogus": 1}, "_bogus: unknown key", id="no-global-argument"),
        pytest.param(
            {**VALID, "_sudoo": True},
            "_sudoo: unknown key; did you mean _sudo?",
            id="misspelt-global-argument",
        ),
        pytest.param(
            {**VALID, "ssh_usr": "a"},
            "ssh_usr: unknown key; did you mean ssh_user?",
            id="misspelt-connection-key",
        ),
        pytest.param({**VALID, "clients": "a"}, "clients: must be a list", id="no-list"),
        pytest.param({**VALID, "clients": ["a"]}, "clients[0]: must be a mapping", id="no-entry"),
        pytest.param({**VALID, "redis": None}, "redis: must be a mapping", id="no-mapping"),
        pytest.param(
            {**VALID, "certificates": "a"}, "certificates: must be a mapping", id="no-mode-at-all"
        ),
        pytest.param(
            {**VALID, "sysctl": {"values": []}}, "sysctl.values: must be a mapping", id="no-values"
        ),
        pytest.param(server(issuer=5), "oauth_server.issuer: must be text", id="no-text"),
        pytest.param(
            {**VALID, "chrony": {"steer_clock": 1}},
            "chrony.steer_clock: must be True or False",
            id="no-truth",
        ),
        pytest.param(
            {**VALID, "certificates": {"mode": "local_ca", "directory": 5, **_PASSPHRASE}},
            "certificates.directory: must be a path, as text",
            id="no-path",
        ),
        pytest.param(
            {**VALID, "certificates": {"mode": "local_ca", "directory": "a\0b", **_PASSPHRASE}},
            "certificates.directory: must be a path without NUL or broken characters",
            id="nul-in-a-path",
        ),
        pytest.param(
            {**VALID, "certificates": {"mode": "local_ca", "directory": "", **_PASSPHRASE}},
            "certificates.directory: must be a path, neither empty nor the working directory "
            "itself",
            id="no-directory-named",
        ),
        pytest.param(
            key_from(file="~nosuchuser/key"),
            "certificates.private_key.file: must begin with the ~ of a user of this machine, or "
            "none",
            id="home-of-nobody",
        ),
        pytest.param(
            key_from(file="a\ud800"),
            "certificates.private_key.file: must be a path without NUL or broken characters",
            id="half-a-character",
        ),
        pytest.param(
            key_from(command=[]),
            "certificates.private_key.command: must not be empty",
            id="no-command",
        ),
        pytest.param(
            key_from(command=[""]),
            "certificates.private_key.command: must begin with a program's name",
            id="no-program",
        ),
        pytest.param(
            key_from(command=["pass", "a\0b"]),
            "certificates.private_key.command[1]: must be text without NUL or broken characters",
            id="nul-in-an-argument",
        ),
        *(
            pytest.param(
                key_from(env=name),
                "certificates.private_key.env: must be a variable's name: not empty, and without "
                "an equals sign",
                id=f"variable-{name}",
            )
            for name in ("", "A=B")
        ),
        pytest.param(
            key_from(env="A\0"),
            "certificates.private_key.env: must be text without NUL or broken characters",
            id="nul-in-a-variable",
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
        ({"client_id": "a b"}, "clients[0].client_id: must match ^[A-Za-z0-9._~-]{1,128}$"),
        (
            {"grant_types": ["password"]},
            "clients[0].grant_types[0]: must be 'client_credentials', ",
        ),
        ({"grant_types": []}, "clients[0].grant_types: must not be empty"),
        ({"scope": 'a"b'}, "clients[0].scope: must match ^"),
        ({"scope": "a  b"}, "clients[0].scope: must match ^"),
        ({"client_secret_hash": "md5:1"}, "clients[0].client_secret_hash: must match ^sha256:"),
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
