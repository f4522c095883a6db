"""What is wrong with the form of an inventory, whatever the key."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.roles.hostdata.inventory import (
    PASSPHRASE,
    SECRET,
    VALID,
    app,
    client,
    faults,
    server,
    under,
    validated,
)


def test_what_an_inventory_leaves_out_has_a_default() -> None:
    data = validated(VALID)
    assert data.oauth_server.access_token_lifetime == 600
    assert data.oauth_server.scope_error_status == 403
    assert data.redis.maxmemory == "256mb"
    assert len(data.chrony.servers) > 1
    assert data.fail2ban.max_retry > 0


def test_pyinfras_own_keys_are_none_of_ours() -> None:
    pyinfras = {"ssh_user": "deploy", "_sudo": True, "_env": {"LANG": "C"}}
    assert validated({**VALID, **pyinfras}) == validated(VALID)


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
            {**VALID, "certificates": {"mode": "local_ca", "directory": "/srv/ca"}},
            "certificates.passphrase: is missing",
            id="no-passphrase",
        ),
        pytest.param(
            {**VALID, "certificates": {"mode": "local_ca", **PASSPHRASE}},
            "certificates.directory: is missing",
            id="no-directory",
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
            {**VALID, "certificates": {"mode": "local_ca", "directory": 5, **PASSPHRASE}},
            "certificates.directory: must be a path, as text",
            id="no-path",
        ),
    ],
)
def test_each_fault_has_one_line(data: dict[str, Any], line: str) -> None:
    assert faults(data) == [f"web-1: {line}"]


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
