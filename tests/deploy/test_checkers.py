"""A file that its own program refuses never replaces the one that works."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy import running
from tests.lab.fixtures import RunningLab


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a deploy is made of, to break; the releases that were built are shared."""
    for name in ("roles", "templates", "inventories", "app", "tests/lab"):
        shutil.copytree(
            running.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(running.ROOT / "deploy.py", tmp_path)
    # The server judges its files on this machine already; here the host is to.
    (tmp_path / "roles/oauth_server/preview.py").write_text("def check(*_: object) -> None: ...\n")
    (tmp_path / ".cache").symlink_to(running.ROOT / ".cache")
    return tmp_path


@pytest.mark.parametrize(
    ("template", "path", "unit"),
    [
        ("oauth_server/server.yaml.j2", "/etc/oauth2/server.yaml", "oauth-server"),
        ("oauth_server/clients.json.j2", "/etc/oauth2/clients.json", "oauth-server"),
        (
            "oauth_server/oauth-server.service.j2",
            "/etc/systemd/system/oauth-server.service",
            "oauth-server",
        ),
        (
            "oauth_server/oauth-server.socket.j2",
            "/etc/systemd/system/oauth-server.socket",
            "oauth-server.socket",
        ),
        (
            "oauth_server/oauth-key-rotate.timer.j2",
            "/etc/systemd/system/oauth-key-rotate.timer",
            "oauth-key-rotate.timer",
        ),
        (
            "oauth_server/oauth-key-rotate.service.j2",
            "/etc/systemd/system/oauth-key-rotate.service",
            "oauth-key-rotate.timer",
        ),
        ("gateway/nginx.conf.j2", "/etc/nginx/nginx.conf", "nginx"),
        ("chrony/chrony.conf.j2", "/etc/chrony/chrony.conf", "chrony"),
        ("logrotate/oauth-server.j2", "/etc/logrotate.d/oauth-server", "logrotate.timer"),
        (
            "fail2ban/jail.d/oauth-server.conf.j2",
            "/etc/fail2ban/jail.d/oauth-server.conf",
            "fail2ban",
        ),
        (
            "fail2ban/filter.d/oauth-server.conf.j2",
            "/etc/fail2ban/filter.d/oauth-server.conf",
            "fail2ban",
        ),
        ("redis/redis.conf.j2", "/etc/redis/redis.conf", "redis-server"),
    ],
)
def test_a_broken_file_is_refused_on_the_host(
    deployed: RunningLab, checkout: Path, template: str, path: str, unit: str
) -> None:
    with (checkout / "templates" / template).open("a") as file:
        file.write("\nNoSuchDirective= {\n[unclosed\n")
    status = f"sudo sha256sum {path}; systemctl show --property=MainPID,ActiveState {unit}"
    before = deployed.ssh(status).stdout
    result = subprocess.run(
        [sys.executable, "-m", "pyinfra", "-y", running.LAB_INVENTORY, "deploy.py"],
        cwd=checkout,
        env=running.environment(deployed),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    said = result.stdout + result.stderr
    candidate = rf"/\.portcullis-\w+/(all/jail\.d/)?{re.escape(Path(path).name)}"
    assert re.search(candidate, said) or "NoSuchDirective" in said, "another file was refused"
    assert deployed.ssh(status).stdout == before
    assert "ActiveState=active" in before
