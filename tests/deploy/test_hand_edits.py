"""What somebody edited on a host is told of before it is replaced, and kept where root finds it."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

import pytest

from tests.deploy import running
from tests.lab.fixtures import MakeLab, RunningLab

_KEPT = "/var/lib/portcullis/backups"
_NGINX = "/etc/nginx/nginx.conf"
_CLIENTS = "/etc/oauth2/clients.json"
_ACL = "/etc/redis/users.acl"
_UNIT = "/etc/systemd/system/oauth-server.service"
_EDITED = (_NGINX, _CLIENTS, _ACL, _UNIT)
_SECRET = "sha256:" + "5ec4e7" * 10 + "0000"


def _root(lab: RunningLab, script: str) -> str:
    done = lab.ssh(f"sudo sh -c {quote(script)}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def edited(deployed: RunningLab) -> Iterator[RunningLab]:
    for path in (_NGINX, _ACL, _UNIT):
        _root(deployed, f"echo '# by hand' >> {path}")
    _root(deployed, f"sed -i 's/sha256:[0-9a-f]*/{_SECRET}/' {_CLIENTS}")
    yield deployed
    running.deploy(deployed)
    _root(deployed, f"rm -rf {_KEPT}")


def _told(lab: RunningLab, said: str) -> list[str]:
    lines = [
        line for line in said.splitlines() if "was changed by hand since the deploy of 2" in line
    ]
    assert all(lab.hosts[0].name in line for line in lines)
    return sorted(path for path in _EDITED for line in lines if f"{path} was" in line)


@pytest.mark.parametrize("shown", [(), ("--diff",)])
def test_a_plan_names_host_and_file_and_changes_nothing(
    edited: RunningLab, shown: tuple[str, ...]
) -> None:
    before = running.state(edited)
    result = running.pyinfra(edited, "--dry", *shown)
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    assert _told(edited, said) == sorted(_EDITED)
    assert f"kept as {_KEPT}{_NGINX}.<time>" in said
    assert _SECRET not in said
    assert running.state(edited) == before


def test_a_run_says_so_once_and_keeps_them_for_root_alone(edited: RunningLab) -> None:
    versions = {path: _root(edited, f"cat {path}") for path in _EDITED}
    result = running.pyinfra(edited, "-y")
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    assert _told(edited, said) == sorted(_EDITED)
    assert _SECRET not in said
    for path, text in versions.items():
        assert _root(edited, f"cat {_KEPT}{path}.*") == text
        assert _root(edited, f"cat {path}") != text
    assert _root(edited, f"stat -c '%U %a' {_KEPT}") == "root 700\n"
    assert edited.ssh(f"ls {_KEPT}").returncode != 0
    assert running.pending(edited) == []


def test_a_version_that_was_kept_can_be_put_back(edited: RunningLab) -> None:
    """As docs/operations.md says: with its owner and mode."""
    before = _root(edited, f"stat -c '%U:%G %a' {_CLIENTS}; sha256sum < {_CLIENTS}")
    running.deploy(edited)
    _root(edited, f"cp -p {_KEPT}{_CLIENTS}.2* {_CLIENTS}")
    assert _root(edited, f"stat -c '%U:%G %a' {_CLIENTS}; sha256sum < {_CLIENTS}") == before
    running.deploy(edited)
    assert _root(edited, f"ls {_KEPT}{_CLIENTS}.* | wc -l") == "1\n", "one version, kept once"


def test_what_was_there_before_the_first_deploy_is_kept_and_named_if_somebody_made_it(
    make_lab: MakeLab,
) -> None:
    lab = make_lab()
    own = "# ours, by hand\n"
    _root(lab, f"printf {quote(own)} > /etc/sysctl.d/zz-portcullis.conf")
    result = running.pyinfra(lab, "-y")
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    told = [line for line in said.splitlines() if "was there before the first deploy" in line]
    assert len(told) == 1, said
    assert "/etc/sysctl.d/zz-portcullis.conf" in told[0]
    kept = _root(lab, f"cd {_KEPT} && find . -type f").split()
    assert {path.rpartition(".2")[0] for path in kept} >= {
        "./etc/sysctl.d/zz-portcullis.conf",
        "./etc/nginx/nginx.conf",
        "./etc/redis/redis.conf",
        "./etc/chrony/chrony.conf",
    }
    assert _root(lab, f"cat {_KEPT}/etc/sysctl.d/zz-portcullis.conf.2*") == own
