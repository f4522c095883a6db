"""deploy.py as a whole, on every platform: what it runs, in which order, and what it refuses."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from roles.hostdata.check import HostDataError
from roles.oauth_server import tasks
from roles.oauth_server.release import Release
from roles.platform import Platform
from tests.unit.roles.fakehost import FakeHost

DEPLOY = Path(__file__).resolve().parents[2] / "deploy.py"
ORDER = [
    "base",
    "sysctl",
    "chrony",
    "certificates",
    "redis",
    "oauth_server",
    "gateway",
    "firewall",
    "logrotate",
    "fail2ban",
]

ACME = {"mode": "acme", "terms_agreed": True}


def deploy() -> None:
    runpy.run_path(str(DEPLOY))


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    archive = tmp_path / "release.tar.gz"
    archive.write_bytes(b"")
    monkeypatch.setattr(tasks, "build", lambda *_, **__: Release("d" * 64, archive))
    monkeypatch.setenv("CA_PASSPHRASE", "correct horse battery staple")
    return {
        "oauth_server": {"issuer": "https://auth.example.net"},
        "certificates": {
            "mode": "local_ca",
            "directory": str(tmp_path / "ca"),
            "passphrase": {"env": "CA_PASSPHRASE"},
        },
    }


@pytest.mark.parametrize("platform", Platform)
def test_every_role_has_its_turn_on_every_platform(
    platform: Platform, data: dict[str, Any]
) -> None:
    host = FakeHost(platform)
    changed = host.run(deploy, data=data).changed
    roles = list(dict.fromkeys(name.partition(" | ")[0] for name in changed))
    # The fake kernel has none of the keys that sysctl would set live.
    assert roles == [role for role in ORDER if role in roles]
    assert set(ORDER) - {"sysctl"} <= set(roles)


@pytest.mark.parametrize("platform", Platform)
def test_every_operation_names_the_control_that_it_serves(
    platform: Platform, data: dict[str, Any]
) -> None:
    operations = FakeHost(platform).run(deploy, data=data).changed
    assert [name for name in operations if not name.endswith("]")] == []


@pytest.mark.parametrize(
    ("platform", "user", "redis"),
    [
        (Platform.DEBIAN_12, "www-data", "redis-server.service"),
        (Platform.UBUNTU_22_04, "www-data", "redis-server.service"),
        (Platform.UBUNTU_24_04, "www-data", "redis-server.service"),
        (Platform.EL_9, "nginx", "redis.service"),
    ],
)
def test_the_roles_agree_on_nginxs_user_and_redis_unit(
    platform: Platform, user: str, redis: str, data: dict[str, Any]
) -> None:
    """What one role sets up is what the other is told."""
    host = FakeHost(platform)
    host.run(deploy, data=data)
    assert f"SocketUser={user}\n" in host.files["/etc/systemd/system/oauth-server.socket"].content
    assert f"user {user};" in host.files["/etc/nginx/nginx.conf"].content
    assert redis in host.units
    assert redis in host.files["/etc/systemd/system/oauth-server.service"].content


def test_a_fault_in_the_data_stops_it_before_anything_is_run(data: dict[str, Any]) -> None:
    host = FakeHost(Platform.DEBIAN_12)
    with pytest.raises(HostDataError, match=r"@fake/host: chrony\.servers: "):
        host.run(deploy, data={**data, "chrony": {"servers": []}})
    assert host.files == {}


def test_a_dry_run_tells_of_the_restarts_that_a_new_certificate_brings(
    data: dict[str, Any],
) -> None:
    host = FakeHost(Platform.DEBIAN_12)
    host.run(deploy, data=data)
    # The fake host shows no certificate, so one is installed in each run.
    predicted = host.run(deploy, data=data, dry=True).predicted
    assert "certificates | Install the certificate and its key [TLS-01] [TLS-02]" in predicted
    assert {"gateway | Run nginx [GW-02]", "oauth_server | Run the server [SRV-03]"} <= set(
        predicted
    )


@pytest.mark.parametrize("platform", Platform)
def test_acme_comes_after_port_80_answers_and_is_open(
    platform: Platform, data: dict[str, Any]
) -> None:
    """certbot is installed with all the rest, and no service is fed with what it renews."""
    host = FakeHost(platform)
    run = host.run(deploy, data={**data, "certificates": ACME})
    roles = list(dict.fromkeys(name.partition(" | ")[0] for name in run.changed))
    assert [role for role in roles if role != "acme"] == [role for role in ORDER if role in roles]
    assert roles.index("gateway") < roles.index("acme") < roles.index("logrotate")
    assert [name for name in run.changed if not name.endswith("]")] == []
    # The fake EL 9 has all packages already; it is asked for this one.
    assert any(re.search(r"\bcertbot\b.*\bchrony\b", text) for text in host.arguments)
    config = host.files["/etc/nginx/nginx.conf"].content
    assert "listen 80 default_server;" in config
    fed = [
        each.text
        for each in run.commands
        if each.operation.endswith(("Run nginx [GW-02]", "Run the server [SRV-03]"))
    ]
    assert len(fed) == 2
    assert not any("/etc/oauth2/certs" in text for text in fed)


def test_without_acme_nothing_listens_on_port_80_and_no_certbot_is_installed(
    data: dict[str, Any],
) -> None:
    host = FakeHost(Platform.DEBIAN_12)
    run = host.run(deploy, data=data)
    assert "listen 80" not in host.files["/etc/nginx/nginx.conf"].content
    assert not any("certbot" in each.text for each in run.commands)
