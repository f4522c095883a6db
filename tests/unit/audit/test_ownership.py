"""Whether somebody else could change or replace a file, from what stat says of it and above it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.audit.ownership import replaceable, walk

ACTIVE = "/etc/oauth2/keys/ring/active"


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("/etc/oauth2/server.yaml", "root:oauth_group 0640 regular file"),
        ("/etc/oauth2", "root:oauth_group 0750 directory"),
        (ACTIVE, "oauth_user:oauth_group 0777 symbolic link"),
        ("/etc/oauth2/keys/ring", "oauth_user:oauth_group 0711 directory"),
        ("/var/log/oauth_server.log.1", "oauth_user:oauth_group 0640 regular file"),
        ("/usr/local/bin", "root:staff 2775 directory"),
        ("/var/log", "root:syslog 0775 directory"),
    ],
)
def test_what_is_roots_or_in_its_place_the_services_is_nobody_elses(path: str, state: str) -> None:
    assert replaceable({path: state}) == {}


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("/etc/oauth2/server.yaml", "root:oauth_group 0660 regular file"),
        ("/etc/oauth2/server.yaml", "oauth_user:oauth_group 0640 regular file"),
        ("/etc/oauth2/keys/ring", "ada:oauth_group 0711 directory"),
        ("/etc/oauth2/keys/ring", "oauth_user:oauth_group 0713 directory"),
        ("/opt", "root:root 1777 directory"),
        ("/usr/local", "root:staff 2777 directory"),
        ("/var/log", "root:adm 0775 directory"),
        ("/var", "root:syslog 0775 directory"),
    ],
)
def test_what_others_own_or_write_to_is_named(path: str, state: str) -> None:
    assert replaceable({path: state}) == {path: state}


def test_the_walk_sees_all_below_and_above_and_where_links_lead(tmp_path: Path) -> None:
    real, other = tmp_path / "real", tmp_path / "other dir"
    (real / "deep").mkdir(parents=True)
    (real / "deep" / "file").touch()
    other.mkdir()
    (other / "link").symlink_to(real / "deep")
    pattern = walk(f"{tmp_path}/oth*/link", f"{tmp_path}/missing")
    done = subprocess.run(["sh", "-c", pattern], capture_output=True, text=True, check=True)
    seen = {line.split("|")[0] for line in done.stdout.splitlines()}
    assert {str(p) for p in (other / "link", other, real / "deep", real, tmp_path)} <= seen
    assert {"/", "/tmp"} & seen
    below = walk(str(real))
    done = subprocess.run(["sh", "-c", below], capture_output=True, text=True, check=True)
    assert f"{real}/deep/file|" in done.stdout
    assert done.stderr == ""
