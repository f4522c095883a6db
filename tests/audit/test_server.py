"""SRV: the release, its settings, its process, its ports, and what it says to clients."""

from __future__ import annotations

import base64
import http.client
import time
from collections.abc import Iterator
from shlex import quote
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest

from tests.audit import jose
from tests.audit.conftest import ProbeClient
from tests.audit.listeners import parse
from tests.audit.subject import Answer, Subject, states_of, units_of
from tests.audit.tls import Client, Response
from tests.audit.verdict import must_equal, must_hold

pytestmark = pytest.mark.group("auth_servers")

_CURRENT = "/opt/oauth-server/current"
_SOCKET = "/run/oauth-server/http.sock"
_UNITS = ("oauth-server.service", "oauth-server.socket")
_USERS = "/etc/oauth2/users.json"

# Each file of bytecode is compared with what the source beside it compiles to.
_BYTECODE = """
import importlib.util, marshal, pathlib, sys
for path in pathlib.Path(sys.argv[1]).resolve().rglob("*.pyc"):
    try:
        source = pathlib.Path(importlib.util.source_from_cache(str(path)))
        found = marshal.loads(path.read_bytes()[16:])
        same = found == compile(source.read_bytes(), found.co_filename, "exec", dont_inherit=True)
    except Exception:
        same = False
    if not same:
        print(path)
"""

QUESTIONS = {
    "redis": "grep -s '^tls-port 6379$' /etc/redis/redis.conf || true",
    "certbot": "ls /etc/letsencrypt/renewal/portcullis.conf 2> /dev/null || true",
    "current": f"readlink {_CURRENT}",
    "digest": f"sha256sum < {_CURRENT}/SHA256SUMS | cut -c1-64",
    "content": f"cd {_CURRENT}/ && sha256sum -c --quiet SHA256SUMS && echo intact",
    # What the manifest doesn't know would be imported all the same. Bytecode is made on the host;
    # whether it says what its source says is the next question.
    "strangers": f"cd {_CURRENT}/ && {{ cut -c67- SHA256SUMS; find . ! -type d ! -name '*.pyc' "
    "-printf '%P\\n' | grep -vx SHA256SUMS; } | sort | uniq -u",
    "bytecode": "$(sed -n 's/^exec \\([^ ]*\\) .*/\\1/p' /usr/local/bin/oauth-server) -I -S "
    f"-c {quote(_BYTECODE)} {_CURRENT}",
    "writable": "find /opt/oauth-server/releases -mindepth 1 ! -type l "
    "\\( ! -user root -o -perm /022 \\) -print",
    "files": states_of("/etc/oauth2/server.yaml", "/etc/oauth2/clients.json"),
    # Without the file nobody can log in, which is as it should be on a host for machines alone.
    "users": f"test ! -e {_USERS} || {{ {states_of(_USERS)}; }}",
    "units": units_of(*_UNITS),
    "process": "pid=$(systemctl show -P MainPID oauth-server.service) && "
    "grep -E '^(Uid|Gid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/$pid/status && "
    "id -u oauth_user && getent group oauth_group | cut -d: -f3",
    "listeners": "ss -H -ltnp",
    "socket": states_of(_SOCKET),
    "keys": "cat /etc/oauth2/keys/ring/*/public.pem",
}


@pytest.mark.control("SRV-01")
def test_the_release_is_named_after_its_content(answers: dict[str, Answer]) -> None:
    """One name vouches for every byte of the program."""
    link = answers["current"].output.strip()
    must_equal(
        f"{_CURRENT} must lead to the release of its manifest's digest",
        seen=link.removeprefix("/opt/oauth-server/"),
        expected=f"releases/{answers['digest'].output.strip()}",
    )


@pytest.mark.control("SRV-01")
def test_every_file_is_as_in_the_manifest(answers: dict[str, Answer]) -> None:
    """Nobody patched the program on the host."""
    must_equal(
        "sha256sum -c SHA256SUMS must find each file as it was built",
        seen=answers["content"].text.strip() if answers["content"].status else "intact",
        expected="intact",
    )


@pytest.mark.control("SRV-01")
def test_no_file_was_added_to_the_release(answers: dict[str, Answer]) -> None:
    """A module that was put beside the others would be imported like them."""
    must_equal("files that the manifest doesn't know", seen=answers["strangers"].lines, expected=[])


@pytest.mark.control("SRV-01")
def test_the_bytecode_says_what_its_source_says(answers: dict[str, Answer]) -> None:
    """Python runs the bytecode; the manifest vouches for the source."""
    must_equal(
        "bytecode that is of no source, or of another", seen=answers["bytecode"].lines, expected=[]
    )


@pytest.mark.control("SRV-01")
def test_only_root_can_write_to_the_program(answers: dict[str, Answer]) -> None:
    """Neither the server nor anybody else replaces a file."""
    must_equal("files that others can write to", seen=answers["writable"].lines, expected=[])


@pytest.mark.control("SRV-02")
def test_settings_and_clients_are_roots(answers: dict[str, Answer]) -> None:
    """The server reads its rules and can't write them."""
    must_equal(
        "owner, group and mode must be as laid down",
        seen=answers["files"].states,
        expected=dict.fromkeys(
            ("/etc/oauth2/server.yaml", "/etc/oauth2/clients.json"),
            "root:oauth_group 0640 regular file",
        ),
    )


@pytest.mark.control("SRV-07")
def test_users_are_roots(answers: dict[str, Answer]) -> None:
    """Who reads the hashes can try passwords at leisure; who writes them is any user he likes."""
    must_equal(
        "owner, group and mode must be as laid down",
        seen=answers["users"].states,
        expected=dict.fromkeys(answers["users"].states, "root:oauth_group 0640 regular file"),
    )


@pytest.mark.control("SRV-03")
def test_the_server_is_enabled_and_runs(answers: dict[str, Answer]) -> None:
    """Today and after a reboot, with the unit that lies on the disk."""
    found = answers["units"].units
    must_equal(
        "the units must be enabled, active and up to date",
        seen={
            unit: " ".join(
                found.get(unit, {}).get(key, "missing")
                for key in ("UnitFileState", "ActiveState", "NeedDaemonReload")
            )
            for unit in _UNITS
        },
        expected=dict.fromkeys(_UNITS, "enabled active no"),
    )


@pytest.mark.control("SRV-03")
def test_the_server_has_no_privileges(answers: dict[str, Answer]) -> None:
    """Whoever takes it over has an account, and no capability to leave it."""
    *status, uid, gid = answers["process"].lines
    fields = {key.rstrip(":"): values for key, *values in (line.split() for line in status)}
    must_equal(
        "the main process must run as oauth_user without privileges",
        seen={key: " ".join(sorted(set(values))) for key, values in fields.items()},
        expected={
            "Uid": uid,
            "Gid": gid,
            "CapEff": "0" * 16,
            "CapBnd": "0" * 16,
            "NoNewPrivs": "1",
            "Seccomp": "2",
        },
    )


def _ports(answers: dict[str, Answer], subject: Subject) -> Iterator[int]:
    if answers["certbot"].output:
        yield 80
    if subject.is_gateway:
        yield 443
    if subject.is_server:
        yield 8443
    # The other servers' way to Redis, if there are any.
    if subject.is_state and subject.has_neighbours and answers["redis"].output.strip():
        yield 6379


@pytest.mark.control("SRV-04")
@pytest.mark.group("auth_servers", "gateways", "state")
def test_the_host_listens_where_promised_and_nowhere_else(
    answers: dict[str, Answer], subject: Subject
) -> None:
    """SSH, the gateway on 443 and the server on 8443; whatever is on loopback stays there.

    Port 80 is nginx's where certbot has a certificate of ours to renew.
    """
    found = [entry for entry in parse(answers["listeners"].lines) if not entry.is_local]
    ports = {entry.port for entry in found if "sshd" not in entry.programs and entry.port != 22}
    must_equal(
        f"TCP ports of {subject.name} that the network can reach, beside SSH's",
        seen=sorted(ports),
        expected=sorted(_ports(answers, subject)),
    )


@pytest.mark.control("SRV-04")
def test_the_gateways_socket_is_for_the_gateway_alone(
    answers: dict[str, Answer], subject: Subject
) -> None:
    """Whoever may connect to it may say whose request it is."""
    owner = ("nginx" if subject.is_el else "www-data") if subject.is_gateway else "root"
    must_equal(
        "the socket must be",
        seen=answers["socket"].states,
        expected={_SOCKET: f"{owner}:{owner} 0600 socket"},
    )


def _answer(client: Client, path: str, **request: Any) -> Response:
    try:
        return client.request(path, **request)
    except (OSError, http.client.HTTPException) as error:
        pytest.fail(
            f"{path} must answer on 443\n  expected: an answer over verified TLS\n"
            f"  seen:     {error}",
            pytrace=False,
        )


@pytest.mark.control("SRV-05")
def test_the_metadata_names_the_issuer(client: Client, subject: Subject) -> None:
    """A client that was sent to the wrong server finds out."""
    response = _answer(client, "/.well-known/oauth-authorization-server")
    must_equal("the metadata's status must be", seen=response.status, expected=200)
    metadata = response.json()
    issuer = subject.issuer
    must_equal(
        "the metadata must say",
        seen={
            key: metadata.get(key, "nothing") for key in ("issuer", "token_endpoint", "jwks_uri")
        },
        expected={
            "issuer": issuer,
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
        },
    )


@pytest.mark.control("SRV-06")
def test_a_client_gets_a_token_that_verifies(
    probe: ProbeClient, client: Client, subject: Subject, answers: dict[str, Answer]
) -> None:
    """Signed with a key that lies on this host, for this client, by this issuer."""
    pem = answers["keys"].output
    blocks = [
        f"{block}-----END PUBLIC KEY-----\n" for block in pem.split("-----END PUBLIC KEY-----\n")
    ]
    keys = {jose.thumbprint(key): key for key in map(jose.public_key, blocks[:-1])}
    # RFC 6749 §2.3.1: both are form-encoded before they are joined.
    pair = f"{quote_plus(probe.client_id)}:{quote_plus(probe.client_secret)}"
    form = {"grant_type": "client_credentials"}
    if probe.scope:
        form["scope"] = probe.scope
    response = _answer(
        client,
        "/token",
        form=urlencode(form),
        authorization=f"Basic {base64.b64encode(pair.encode()).decode()}",
    )
    must_hold(
        f"the probe client {probe.client_id} must get a token",
        response.status == 200,
        expected="status 200",
        seen=f"status {response.status} {response.body[:200]!r}",
    )
    try:
        header, claims = jose.verify(response.json()["access_token"], keys)
    except jose.TokenError as error:
        pytest.fail(
            f"the token must verify\n  expected: RS256 by a key on the host\n  seen:     {error}",
            pytrace=False,
        )
    must_equal("the token's type must be", seen=header.get("typ"), expected="at+jwt")
    must_equal(
        "the token must say",
        seen={key: claims.get(key) for key in ("iss", "sub", "client_id")},
        expected={
            "iss": subject.issuer,
            "sub": probe.client_id,
            "client_id": probe.client_id,
        },
    )
    missing = {"aud", "exp", "iat", "jti"} - set(claims)
    must_equal("claims that RFC 9068 §2.2 asks for and are missing", seen=missing, expected=set())
    now = time.time()
    must_hold(
        "the token must be valid now, and for a day at the most",
        claims["iat"] <= now + 60 and now < claims["exp"] <= claims["iat"] + 86_400,
        expected=f"iat <= {now:.0f} < exp <= iat + 86400",
        seen=f"iat {claims['iat']}, exp {claims['exp']}",
    )
    if probe.scope:
        must_equal(
            "the token's scope must be what was asked for",
            seen=sorted(str(claims.get("scope", "")).split()),
            expected=sorted(probe.scope.split()),
        )
